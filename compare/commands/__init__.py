"""The commands of `twin`, one file each: arguments in, one call, an answer out. cli.py puts them together."""
