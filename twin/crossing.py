"""Arrays cross between an engine and native PyTorch: weights, gradients, moments."""

import math

from twin.bridge import Arrays, Bridge, Leaf, redundant_names
from twin.spec import Twin


class Crossing:
    """From the reference's names to an engine's and back; for native PyTorch both are the same.

    Raises:
        BridgeError: when the two models' arrays do not correspond.
    """

    def __init__(self, side: str, leaves: list[Leaf], native: list[Leaf], twin: Twin):
        self.bridge = Bridge(leaves, native, twin.flatten, twin.unflatten) if side == "keras" else None
        redundant = redundant_names(leaves)
        self.trainable = sum(
            math.prod(leaf.shapes[name])
            for leaf in leaves
            for name in leaf.trainable
            if leaf.full(name) not in redundant
        )

    def out(self, native: Arrays) -> Arrays:
        """Arrays of the reference, under the engine's names and in its layout."""
        return self.bridge.to_keras(native) if self.bridge else native

    def back(self, own: Arrays) -> Arrays:
        """Arrays of the engine, under the reference's names and in its layout."""
        return self.bridge.to_torch(own) if self.bridge else own

    def moments_back(self, own: Arrays) -> Arrays:
        """Adam's moments, whose names begin with `first/` or `second/`."""
        out: Arrays = {}
        for which in ("first/", "second/"):
            part = {name.removeprefix(which): array for name, array in own.items() if name.startswith(which)}
            out |= {which + name: array for name, array in self.back(part).items()}
        return out
