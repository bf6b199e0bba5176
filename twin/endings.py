"""A process that must not outlive the one that started it."""

import os
import sys
from pathlib import Path

GROUPS = "TWIN_GROUPS"  # the folder in which a process group that is to be ended has a file of its leader's number


def register() -> None:
    """Put this process's group among those that end with the one that started it; end at once if that is gone.

    Who starts a process does the same for it, but may be killed before it can.
    """
    groups = os.environ.pop(GROUPS, "")
    if not groups:
        return
    try:
        (Path(groups) / str(os.getpid())).touch()
    except FileNotFoundError:
        sys.exit(0)
    except OSError:  # a disk that is full, say; whoever started it has tried too
        return
