"""AOTInductor (`.pt2`): an exported program compiled by torch.compile's own compiler into a shared library."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from compare.export.formats import torch_export
from compare.export.model import Model

TITLE = "AOTInductor"
SUFFIX = ".pt2"
RUNTIME = {"torch": "torch"}


def needs(engine: str) -> Mapping[str, str] | str:
    if isinstance(needed := torch_export.needs(engine), str):
        return "AOTInductor compiles what PyTorch computes, and this engine computes with another framework"
    return needed


def write(model: Model, file: Path) -> None:
    import torch

    if not shutil.which("g++"):
        raise RuntimeError("AOTInductor compiles C++, and there is no g++: install it, on Debian by: apt install g++")
    with tempfile.TemporaryDirectory() as folder:
        captured = Path(folder) / "captured.pt2"
        torch_export.write(model, captured)
        # Keras's BatchNormalization changes a tensor in place, which the compiler refuses.
        program = torch.export.load(captured).run_decompositions({})
    torch._inductor.aoti_compile_and_package(program, package_path=str(file))


def load(file: Path, twin: str):
    import torch

    compiled = torch._inductor.aoti_load_package(str(file))
    in_spec, _ = compiled.loader.get_call_spec()
    return torch_export.runner(compiled, torch.utils._pytree.treespec_loads(in_spec))
