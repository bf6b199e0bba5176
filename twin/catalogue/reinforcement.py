"""Chapter 11: reinforcement learning."""

from twin.spec import Twin

TWINS: tuple[Twin, ...] = ()
