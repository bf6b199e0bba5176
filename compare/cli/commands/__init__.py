"""One file for each command of `twin`."""
