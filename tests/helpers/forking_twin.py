"""The command `twin` as `python -m compare.cli` runs it, whose workers are forks where a test session offers them."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[0] = ROOT  # or the helpers beside this file would be imported for modules of the same names

from compare.cli.main import main  # noqa: E402

if __name__ == "__main__":
    sys.argv[0] = os.path.join(ROOT, "compare", "cli", "__main__.py")
    if "TWIN_TEST_FORKS" in os.environ:  # forks.ASKED; to import that takes as long as `twin list`
        from tests.helpers import forks

        forks.plant()
    main()
