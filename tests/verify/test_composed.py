"""Which layers of one side lie side by side in one of the other."""

from dataclasses import dataclass, field

import pytest

from compare.verify import parts
from compare.verify.composed import beside, composed, stacked
from compare.verify.flow import Place
from compare.verify.pairing import Pairing, of_parts
from twin.bridge import Leaf


@dataclass
class Left:
    """What has no partner yet."""

    left: list[parts.Part]
    before: dict[str, str] = field(default_factory=dict)  # by path, where not all take the same value

    def place(self, part):
        return Place(0, 1, frozenset([self.before.get(part.path, "input 0")]), frozenset(), ())

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


def test_what_takes_the_same_values_lies_side_by_side():
    """Keras calls the skips of all blocks after the blocks; PyTorch's block has its skip and its residual in one."""
    names = [*(f"res_{block}" for block in range(3)), *(f"skip_{block}" for block in range(3))]
    keras = Left([dense(name, 6 if "res" in name else 10) for name in names], {n: f"gated_{n[-1]}" for n in names})
    torch = Left([linear(f"blocks.{block}.both", 16) for block in range(3)])
    found = {match.torch[0].path: {part.path for part in match.keras} for match in composed(keras, torch, strict=True)}
    assert found == {f"blocks.{block}.both": {f"res_{block}", f"skip_{block}"} for block in range(3)}


def test_two_kernels_of_each_expert_are_two_arrays_with_an_axis_of_experts():
    """They have one shape, and PyTorch runs them by turns."""
    arrays = [Leaf(f"{i}.moe.w{n}", "Parameter", {"": (4, 6, 8)}, ("",)) for i in (0, 1) for n in (1, 3)]
    keras = Left([part for leaf in arrays for part in parts.of_keras(leaf)])
    names = [f"layers.{i}.moe.experts.{e}.w{n}" for i in (0, 1) for e in range(4) for n in (1, 3)]
    linears = [Leaf(name, "Linear", {"weight": (8, 6)}, ("weight",)) for name in names]
    torch = Left([part for leaf in linears for part in parts.of_torch(leaf)])
    found = {match.keras[0].path: [part.path for part in match.torch] for match in stacked(keras, torch)}
    assert found == {
        f"{i}.moe.w{n}": [f"layers.{i}.moe.experts.{e}.w{n}" for e in range(4)] for i in (0, 1) for n in (1, 3)
    }


def test_a_bias_that_a_wrapper_adds_is_the_layers_own():
    """Equalized learning rates: Keras wraps a layer without bias and adds one, PyTorch's Linear has it."""
    inner = [parts.of_keras(Leaf(f"{n}.layer", "Dense", {"kernel": (6, 4)}, ("kernel",)))[0] for n in ("low", "high")]
    alone = [parts.of_keras(Leaf(f"{n}.b", "Parameter", {"": (4,)}, ("",)))[0] for n in ("high", "low")]
    torch = [linear(name, 4) for name in ("0", "1")]
    keras = Left(alone)
    paired = [of_parts(one, other) for one, other in zip(inner, torch, strict=True)]
    found = {match.keras[0].path: match.links[0].torch.name for match in beside(keras, Left([]), paired)}
    assert (found, keras.left) == ({"low.b": "0.bias", "high.b": "1.bias"}, [])


def test_an_attention_changes_its_partner_as_a_whole():
    """Without its key it is nobody's partner, and what is nobody's partner differs from nothing."""
    roles = ("query", "key", "value", "attention_output")
    kernels = {f"{name}.kernel": (2, 4, 8) if name == "attention_output" else (8, 2, 4) for name in roles}
    native = {"in_proj_weight": (24, 8), "out_proj.weight": (8, 8)}
    keras = [Leaf(f"mix{i}", "MultiHeadAttention", kernels, tuple(kernels)) for i in range(2)]
    torch = [Leaf(f"{i}", "MultiheadAttention", native, tuple(native)) for i in range(2)]
    keras.append(Leaf("last", "Dense", {"kernel": (8, 8)}, ("kernel",)))
    torch.append(Leaf("2", "Linear", {"weight": (8, 8)}, ("weight",)))
    both = zip(*([part for leaf in leaves for part in of(leaf)]
                 for leaves, of in ((keras, parts.of_keras), (torch, parts.of_torch))), strict=True)  # fmt: skip
    pairing = Pairing(tuple(of_parts(one, other) for one, other in both))
    others = [each.layers for each in pairing.alternatives()]
    assert {"mix0": "1", "mix1": "0", "last": "2"} in others
    assert all(len(each) == 3 for each in others)
