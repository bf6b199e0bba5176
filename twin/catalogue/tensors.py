"""Chapter 1: tensors and gradients."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
