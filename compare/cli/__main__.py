"""`python -m compare.cli` is the command `twin`."""

import os
import sys

# Python puts the working folder first, whose json.py, numpy.py or torch.py would be imported, or run.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from compare.cli.main import main  # noqa: E402

main()
