"""Keeps frameworks out of this process: one can ask whether they are installed, and they are not loaded."""

import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder

FRAMEWORKS = ("jax", "keras", "tensorflow", "torch")


class Guard(Loader):
    """A finder of frameworks that loads none of them; `refuse` is called with what was about to happen."""

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in FRAMEWORKS:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec:
            spec.loader = self
        return spec

    def create_module(self, spec):
        self.refuse(f"imports {spec.name}")

    def exec_module(self, module) -> None:
        raise AssertionError("create_module lets no module through")

    def refuse(self, what: str) -> None:
        raise ImportError(f"{what}, and `make quick` does without; mark the test with pytest.mark.framework")


GUARD = Guard()


def install() -> None:
    """Begin; a second time changes nothing."""
    if GUARD not in sys.meta_path:
        sys.meta_path.insert(0, GUARD)
