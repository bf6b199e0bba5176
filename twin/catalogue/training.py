"""Chapter 4: better training."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
