"""torchvision beside a PyTorch without its compiled operators: PyPI's wheel is a CUDA build, which a CPU build refuses.

Nothing installs torchvision. Where somebody has it (`pip install --no-deps torchvision`), tests ask its detectors.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest
import torch

NAME = "torchvision.models.detection"
KEPT: list[torch.library.Library] = []  # or the definitions would go with them


def detection() -> ModuleType:
    """torchvision.models.detection; skips the test where torchvision is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    try:
        return importlib.import_module(NAME)
    except RuntimeError:  # the operators that it describes to the compiler do not exist
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(operators)
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        found = importlib.import_module(NAME)
        align = sys.modules["torchvision.ops.roi_align"]
        align.__dict__["_roi_align"] = align._roi_align.__wrapped__  # its Python code, uncompiled
        return found
