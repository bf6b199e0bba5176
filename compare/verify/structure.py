"""Differences that arrays show before anything runs: shapes, biases, copies, and values where each side has its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.verify import axes as alignment
from compare.verify.causes import weights
from compare.verify.pairing import Pairing
from compare.verify.parts import Part
from compare.verify.verdict import SIDES, Finding, Remedy, far_in_words
from twin.bridge import Arrays, Leaf
from twin.trace import Trace

NORMS = {"batch_norm", "layer_norm", "group_norm", "rms_norm"}


@dataclass(frozen=True)
class Layers:
    """The layers of both models by path, and which arrays are which."""

    pairing: Pairing
    leaves: Mapping[str, Leaf]
    native: Mapping[str, Leaf]
    far: float  # between the outputs once weights have crossed, and arrays without partner changed nothing
    limit: float

    def _ran(self, fix: Mapping[str, str]) -> dict[str, Remedy]:
        """What crossing did to make both agree, if they did: then it is a remedy."""
        words = {word: side for side, word in SIDES.items()}
        return {words[side]: Remedy(text, self.far) for side, text in fix.items() if self.far <= self.limit}

    def differences(self, mine: Trace) -> tuple[Finding, ...]:
        """Layers whose arrays do not fit, biases that only one side has, layers of which one side has a copy."""
        out = [self._misfit(one, other) for one, other in self.pairing.misfits]
        partner = self.pairing.layers | {other: path for path, other in self.pairing.layers.items()}
        normed = {leaf for leaf, place in _followed(mine).items() if place in NORMS}
        for each in self.pairing.alone:
            path = each.part.leaf.path
            if each.role not in ("bias", "recurrent_bias") or path not in partner:
                continue
            keras = path if each.side == "Keras" else partner[path]
            if self.leaves[keras].options.get("reset_after") is False:
                match = next(m for m in self.pairing.matches if m.keras[0].leaf.path == keras)
                out.append(self._misfit(match.keras[0], match.torch[0]))
                normed.add(keras)
                continue
            if keras not in normed and all(finding.keras != keras for finding in out):
                out.append(self._missing_bias(each.side, path, partner[path]))
        for side, served, by in self.pairing.shared:
            other = {"Keras": "PyTorch", "PyTorch": "Keras"}[side]
            says = f"{side} has two layers here, {by.path} and {served.path}; {other} calls one twice"
            fix = self._ran({side: f"call {by.leaf.path} in place of {served.leaf.path}"})
            at, beside = served.leaf.path, partner.get(by.leaf.path, "")
            paths = (at, beside) if side == "Keras" else (beside, at)
            out.append(
                Finding("structure", *paths, f"{served.path} is not shared", "unshared_weights", says=says, fix=fix)
            )
        return tuple(out)

    def _missing_bias(self, side: str, path: str, partner: str) -> Finding:
        keras, torch = (path, partner) if side == "Keras" else (partner, path)
        has = side == "Keras"
        which = "PyTorch" if has else "Keras"
        fix = self._ran({side: f"{'use_bias' if has else 'bias'}=False in {path}"})
        shapes = [f"{n} {tuple(s)}" for n, s in self.leaves[keras].shapes.items()]
        theirs = [f"{n} {tuple(s)}" for n, s in self.native[torch].shapes.items()]
        what = f"Keras has {', '.join(shapes)}, PyTorch {', '.join(theirs)}"
        return Finding("structure", keras, torch, what, "missing_bias", says=f"{which} has no bias here", fix=fix)

    def _misfit(self, one: Part, other: Part) -> Finding:
        path, native = one.leaf.path, other.leaf.path
        shapes = [f"{n} {tuple(s)}" for n, s in one.leaf.shapes.items()]
        theirs = [f"{n} {tuple(s)}" for n, s in other.leaf.shapes.items()]
        what = f"Keras has {', '.join(shapes)}, PyTorch {', '.join(theirs)}"
        if one.kind == "gru" and one.leaf.options.get("reset_after") is False:
            says = (
                "With reset_after=False the reset gate acts before the recurrent product, which torch.nn.GRU cannot do"
            )
            return Finding("structure", path, native, what, "gru_reset_after", says=says)
        rows = {"MultiHeadAttention": "attention_key_dim", "PReLU": "prelu_shared"}
        return Finding("structure", path, native, what, rows.get(one.leaf.kind, "shape"))

    def unequal(self, mine: Arrays, own: Arrays) -> tuple[Finding, ...]:
        """Arrays that are not the same on both sides, with what would make them so."""
        carried = self.pairing.to_torch(mine, own)
        plain = self.pairing.plain().to_torch(mine, own)
        added = {link.torch.plus: link.torch.name for link in self.pairing.links if link.torch.plus}
        out = []
        for path, other in self.pairing.layers.items():
            leaf = self.native[other]
            names = {name: leaf.full(name) for name in leaf.shapes if leaf.full(name) in carried}
            given = {name: own[full] for name, full in names.items() if full not in added}
            wanted = {name: carried[full] for name, full in names.items() if full not in added}
            for full in names.values():
                if full in added:
                    partner = next(n for n, f in names.items() if f == added[full])
                    given[partner] = given[partner] + own[full]
            far = {name: alignment.relative(given[name], wanted[name]) for name in wanted}
            if not far:
                continue
            name = max(far, key=lambda each: far[each])
            if far[name] <= 1e-6:
                continue
            unflattened = {n: plain[f] for n, f in names.items() if f not in added}
            flat = any(alignment.relative(unflattened[n], wanted[n]) > 0 for n in unflattened)
            cause, says, after, tried = weights.of_weights(given, wanted, unflattened if flat else {}, leaf.kind)
            fix = self._ran({"PyTorch": f"load {leaf.full(name)} as `twin weights` converts it"})
            what = f"PyTorch's {leaf.full(name)} is not what Keras has: relative L2 {far[name]:.2g}"
            out.append(Finding("weights", path, other, what, cause, far[name], after, says, fix, tried))
        return tuple(out)


def without_partner(lone: Sequence[tuple[str, str, str]]) -> Finding:
    """A finding on layers that only one side has: all that the other side has is paired.

    Args:
        lone: side, path and type of each.
    """
    side, path, _ = lone[0]
    paths = (path, "") if side == "Keras" else ("", path)
    told = ", ".join(f"{each} ({type_})" for _, each, type_ in lone)
    cause = "missing_layer" if side == "Keras" else "extra_layer"
    return Finding("structure", *paths, f"Only {side} has {told}", cause, says="all other layers have a partner")


def read_transposed(keras: str, torch: str, before: float, after: float) -> Finding:
    """A finding on a matrix that both models add or look up, and PyTorch with its axes exchanged."""
    what = f"With the same {torch} the outputs are {far_in_words(before)}"
    says = f"PyTorch reads the rows of {torch} where Keras reads the columns: with the matrix transposed both agree"
    return Finding("forward", keras, torch, what, "transposed_weight", before, after, says)


def _followed(trace: Trace) -> dict[str, str]:
    """The family of the first call with weights or effect that takes a layer's output, by the layer's path."""
    out = {}
    for event in trace.events:
        if event.leaf and event.outputs:
            consumers = [e for e in trace.events if event.outputs[0] in e.inputs and e.family != "shape"]
            out[event.leaf] = consumers[0].family if len(consumers) == 1 else ""
    return out
