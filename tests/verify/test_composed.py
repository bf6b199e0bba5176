"""Which layers of one side lie side by side in one of the other."""

from dataclasses import dataclass

import pytest

from compare.verify import parts
from compare.verify.composed import composed
from twin.bridge import Leaf


@dataclass
class Left:
    """What has no partner yet."""

    left: list[parts.Part]

    def take(self, *taken):
        self.left = [part for part in self.left if not any(part is each for each in taken)]


def dense(path, units):
    return parts.of_keras(Leaf(path, "Dense", {"kernel": (6, units), "bias": (units,)}, ("kernel", "bias")))[0]


def linear(path, units):
    return parts.of_torch(Leaf(path, "Linear", {"weight": (units, 6), "bias": (units,)}, ("weight", "bias")))[0]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_names_say_whose_halves_two_layers_are(order):
    """A gated unit is one Linear and `F.glu` in PyTorch; the one that runs first need not be the one built first."""
    keras = Left([dense(f"grn_{block}_{half}", 8) for block in range(3) for half in ("value", "gate")])
    torch = Left([linear(f"grns.{block}.glu", 16) for block in order])
    found = {match.torch[0].path: {part.path for part in match.keras} for match in composed(keras, torch, strict=True)}
    assert found == {f"grns.{block}.glu": {f"grn_{block}_value", f"grn_{block}_gate"} for block in range(3)}
    assert (keras.left, torch.left) == ([], [])
