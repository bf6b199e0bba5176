"""A module for each format that a model may be exported to, all of the same shape.

TITLE names the format, SUFFIX ends its files. `needs(engine)` names the packages that write it from a model of that
engine, with what pip calls them, or says why nobody writes it. RUNTIME are the packages that run it; where there are
none, the file is written and not run. `write(model, file)` writes it, and `load(file, twin)` returns a function from
inputs by name to outputs, by name or in order. What helps to find a fault is optional: `stored(file)`, the float32
arrays in it, and `elsewhere(file)`, which is `load` by another implementation of the format.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from compare.export.model import Model

Outputs = Mapping[str, np.ndarray] | list[np.ndarray]
Runner = Callable[[Mapping[str, np.ndarray]], Outputs]


class Format(Protocol):
    """What a module of this folder has."""

    TITLE: str
    SUFFIX: str
    RUNTIME: Mapping[str, str]

    def needs(self, engine: str) -> Mapping[str, str] | str:
        """Package -> what pip calls it, of what writes the format from that engine; or why nobody does."""

    def write(self, model: Model, file: Path) -> None:
        """Write the model to a file, or to a folder of that name."""

    def load(self, file: Path, twin: str) -> Runner:
        """The function that runs the file."""


def names() -> list[str]:
    """Every format, by the name of its module."""
    return sorted(each.name for each in pkgutil.iter_modules(__path__))


def find(name: str) -> Format:
    """The module of a format."""
    module: Any = importlib.import_module(f"{__name__}.{name}")
    return cast(Format, module)
