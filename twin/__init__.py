"""The framework-free core: what a twin is, its data, the weight bridge, and the arithmetic of agreement.

For people's own test suites, `twin.verify` and `twin.assert_twins` compare two models of theirs (compare.in_process).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """The two functions that need frameworks, looked up only when somebody asks for them."""
    if name in ("verify", "assert_twins"):
        from compare.verify import api as in_process

        return getattr(in_process, name)
    raise AttributeError(f"module 'twin' has no attribute {name!r}")
