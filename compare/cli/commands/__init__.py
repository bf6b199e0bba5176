"""The commands: a module each, with a function of its name (`list_` where Python has the name already)."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any


def all_of() -> Iterator[Callable[..., Any]]:
    """The functions of all commands, by name."""
    for module in pkgutil.iter_modules(__path__):
        found = importlib.import_module(f"{__name__}.{module.name}")
        yield getattr(found, module.name, None) or getattr(found, f"{module.name}_")
