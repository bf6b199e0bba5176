"""The one error that a user may see: a clear line and an exit code, never a traceback."""

import difflib
import errno
import os
from collections.abc import Iterable

AGREE, DIFFER, USAGE, INCOMPLETE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 70, 130
MOST_NAMED = 20
SHORTAGES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


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
    """Say that `name` is no `what`, with the nearest of the `known` names; those that it is part of come first."""
    known = list(known)
    inside = [each for each in known if len(name) > 2 and name.lower() in each.lower()]
    near = [*dict.fromkeys(inside + difflib.get_close_matches(name, known, n=3, cutoff=0.6))][:3]
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known[:MOST_NAMED])}{more}"
    return TwinError(f"unknown {what} {name!r}; {hint}")


def shortage(error: BaseException | None) -> str:
    """What the machine has run out of, if that is why: disk, file size, file handles, processes or memory; else ""."""
    while error is not None:
        if isinstance(error, MemoryError):
            return os.strerror(errno.ENOMEM)
        if isinstance(error, OSError) and error.errno in SHORTAGES:
            return os.strerror(error.errno)
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return os.strerror(errno.EAGAIN)
        if "os error" in str(error):  # safetensors has a type of its own, and tells the number in words
            for number in SHORTAGES:
                if f"(os error {number})" in str(error):
                    return os.strerror(number)
        error = error.__cause__
    return ""
