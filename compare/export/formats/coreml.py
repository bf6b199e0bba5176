"""Core ML (`.mlpackage`), which is converted here and run by macOS only."""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from compare.export.model import Model

TITLE = "Core ML"
SUFFIX = ".mlpackage"
RUNTIME: Mapping[str, str] = {}  # none that pip installs


def needs(engine: str) -> Mapping[str, str] | str:
    if engine == "torch":
        return {"coremltools": "coremltools"}
    return "coremltools converts programs of native PyTorch, and of TensorFlow 2.12 at most"


def write(model: Model, file: Path) -> None:
    import coremltools

    if model.rows is None:
        raise ValueError("coremltools takes a batch within bounds, and none of any size")
    program = model.program().run_decompositions({})
    converted = coremltools.convert(program, compute_precision=coremltools.precision.FLOAT32)
    converted.save(str(file))


def load(file: Path, twin: str) -> NoReturn:
    raise RuntimeError("macOS runs Core ML's files, and nothing else does")
