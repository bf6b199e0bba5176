"""The commands: a module each, with a function of its name (`list_` where Python has the name already).

A module says under which heading of `twin --help` its command stands (`GROUP`), and shows two calls of it (`EXAMPLES`).
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

COMPARE, LEARN, PORT, SEE = "Compare the frameworks", "Learn the course", "Port a model of your own", "Look around"
GROUPS = (COMPARE, LEARN, PORT, SEE)  # in the order of the help


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Args:
        name: as it is typed.
        function: that carries it out; its docstring is what the help says.
        group: the heading that it stands under.
        examples: calls that a reader can copy.
    """

    name: str
    function: Callable[..., Any]
    group: str
    examples: tuple[str, ...]


def all_of() -> Iterator[Command]:
    """All commands, by name."""
    for module in pkgutil.iter_modules(__path__):
        found = importlib.import_module(f"{__name__}.{module.name}")
        function = getattr(found, module.name, None) or getattr(found, f"{module.name}_")
        yield Command(module.name, function, found.GROUP, found.EXAMPLES)
