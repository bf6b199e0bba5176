"""Chapter 8: segmentation."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
