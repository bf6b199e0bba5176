"""Read by each Python that a test of `make quick` starts: no framework there either."""

import guard

guard.install()
