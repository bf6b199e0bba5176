"""`python -m tests.helpers.fake_twin ...` is the command `twin` with workers that need no framework and no time.

TWIN_WORKER names another module for them.
"""

import os
import sys
from dataclasses import replace

from compare.cli import main
from compare.engines import engine


def plant() -> None:
    """Let every engine run the fake worker."""
    module = os.environ.get("TWIN_WORKER", "tests.helpers.fake_worker")
    for name, each in engine.ENGINES.items():
        engine.ENGINES[name] = replace(each, packages=(), module=module)


if __name__ == "__main__":
    sys.argv[0] = "twin"
    plant()
    main.main()
