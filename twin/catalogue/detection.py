"""Chapter 7: detection."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
