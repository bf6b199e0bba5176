"""`python -m compare.cli` is the command `twin`."""

from compare.cli.main import main

main()
