"""The one error that a user may see: a clear line and an exit code, never a traceback."""

import difflib
from collections.abc import Iterable

AGREE, DIFFER, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


class TwinError(Exception):
    """A mistake that the user can mend.

    Args:
        message: one line that names the value, what was expected and what to do.
        exit_code: what the command line returns for it.
    """

    def __init__(self, message: str, exit_code: int = USAGE):
        super().__init__(message)
        self.exit_code = exit_code


def unknown(what: str, name: str, known: Iterable[str]) -> TwinError:
    """Say that `name` is no `what`, with the nearest of the `known` names."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}"
    return TwinError(f"unknown {what} {name!r}; {hint}")
