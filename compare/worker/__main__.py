"""`python -m compare.worker ENGINE` is a worker process."""

import sys

from compare.worker.serve import serve

serve(sys.argv[1])
