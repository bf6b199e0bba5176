"""Chapter 5: sequences."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
