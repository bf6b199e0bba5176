"""Chapter 9: unsupervised and generative models."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
