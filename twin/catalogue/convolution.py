"""Chapter 2: convolution."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
