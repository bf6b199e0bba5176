"""State that a pass leaves behind: arrays that no optimizer trains and that the models themselves change.

Codebooks and centres kept by moving averages, the vector of a spectral norm, queues. Running statistics of stock norms
are told by compare.verify.backward, which knows their momentum.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compare.verify.causes.candidate import multiple
from compare.verify.pairing import Link, Pairing
from compare.verify.verdict import GRADIENT_LIMIT, Finding
from compare.verify.views import View
from compare.verify.whole import Whole
from twin.bridge import Arrays
from twin.numeric import perturbed_by_one_ulp
from twin.trace import Trace

ROUNDING = 1e-5  # of a state's own size
CAUSES = ("state_in_inference", "state_not_updated", "state_decay", "state_scale", "state_update")


@dataclass
class State:
    """The state of both models, which is equal before a pass.

    Args:
        whole: the models.
        pairing: which arrays are which.
        traces: both models' calls in training mode, which know the lines that write a state.
    """

    whole: Whole
    pairing: Pairing
    traces: tuple[Trace, Trace]

    @cached_property
    def before(self) -> tuple[Arrays, Arrays]:
        return self.whole.keras.dump(), self.whole.torch.dump()

    def differences(self, measured: bool = False) -> tuple[Finding, ...]:
        """The arrays that both models leave otherwise, those first whose cause explains the others.

        Args:
            measured: only if the first cause is of the state itself, and does not come from what enters it.
        """
        found: list[Finding] = []
        links = self._links()
        for training in (True, False) if links else ():
            after = self._after(training)
            apart = [link for link in links if self._far(link, after) is not None]
            if apart:
                noise = self._noise(apart, training, after[1])
                apart = [link for link in apart if (self._far(link, after) or 0.0) > 10 * noise[link.torch.name]]
            found += [self._finding(link, after, training) for link in apart]
            if found:
                break
        found.sort(key=lambda finding: CAUSES.index(finding.cause or ""))
        return () if measured and found and found[0].cause == CAUSES[-1] else tuple(found)

    def _links(self) -> list[Link]:
        """Pairs of arrays that neither side trains, without those of two stock norms."""
        keras, torch = (
            {leaf.full(name) for leaf in side.leaves() for name in leaf.trainable}
            for side in (self.whole.keras, self.whole.torch)
        )
        return [
            link
            for match in self.pairing.matches
            for link in match.links
            if not all(part.kind == "norm" for part in (*match.keras, *match.torch))
            and "variance" not in (link.role, *self._roles(match.torch[0].views, link))
            and link.keras.name not in keras
            and link.torch.name not in torch
        ]

    @staticmethod
    def _roles(views: Mapping[str, View], link: Link) -> list[str]:
        """The roles that PyTorch's array has in its layer: an unbiased running variance is no porter's mistake."""
        return [role for role, view in views.items() if view.name == link.torch.name]

    def _after(self, training: bool) -> tuple[Arrays, Arrays]:
        whole = self.whole
        return (
            whole.keras.statistics(whole.inputs, whole.masks, training),
            whole.torch.statistics(whole.torch_inputs, whole.masks, training),
        )

    def _moves(self, link: Link, after: tuple[Arrays, Arrays]) -> tuple[np.ndarray, np.ndarray]:
        return (
            link.keras.get(after[0]) - link.keras.get(self.before[0]),
            link.torch.get(after[1]) - link.torch.get(self.before[1]),
        )

    def _far(self, link: Link, after: tuple[Arrays, Arrays]) -> float | None:
        """How far both moves are apart; None where rounding may be all."""
        one, other = self._moves(link, after)
        far = float(np.linalg.norm(other - one))
        size = float(np.linalg.norm(link.keras.get(self.before[0])))
        limit = GRADIENT_LIMIT * max(float(np.linalg.norm(one)), float(np.linalg.norm(other))) + ROUNDING * size
        return far if far > limit or not math.isfinite(far) else None

    def _noise(self, links: Sequence[Link], training: bool, after: Arrays) -> dict[str, float]:
        """What inputs moved by one ulp do to PyTorch's state: a codebook's nearest row may be another one."""
        rng = np.random.default_rng(0)
        moved = [perturbed_by_one_ulp(a, rng) if a.dtype.kind == "f" else a for a in self.whole.torch_inputs]
        again = self.whole.torch.statistics(moved, self.whole.masks, training)
        return {link.torch.name: float(np.linalg.norm(link.torch.get(again) - link.torch.get(after))) for link in links}

    def _finding(self, link: Link, after: tuple[Arrays, Arrays], training: bool) -> Finding:
        names = link.keras.name, link.torch.name
        lines = [trace.written.get(name, "") for name, trace in zip(names, self.traces, strict=True)]
        shown = [f"{name} ({line})" if line else name for name, line in zip(names, lines, strict=True)]
        moves = [float(np.linalg.norm(move)) for move in self._moves(link, after)]
        size = float(np.linalg.norm(link.keras.get(self.before[0])))
        still = [move <= ROUNDING * max(size, *moves) for move in moves]
        far = (self._far(link, after) or 0.0) / max(moves)
        mode = "training" if training else "inference"
        what = f"State after one pass in {mode} mode: the changes of {names[0]} and {names[1]} are {far:.2g} apart"
        if any(still):
            changed, kept = ("PyTorch", "Keras") if still[0] else ("Keras", "PyTorch")
            at, other = (shown[1], names[0]) if still[0] else (shown[0], names[1])
            says = f"{changed} updates the state {at} in {mode} mode; in {kept} the state {other} is not updated"
            cause = "state_not_updated" if training else "state_in_inference"
        else:
            cause, says = self._law(link, after, training)
        return Finding("statistics", shown[0], shown[1], what, cause, far, says=says)

    def _law(self, link: Link, after: tuple[Arrays, Arrays], training: bool) -> tuple[str, str]:
        """The cause and its words: how much of the old state each side keeps, and what it adds."""
        name = link.keras.name
        kept = [_short(share) for share in self._kept(link, after, training)]
        if None not in kept and not math.isclose(kept[0] or 0.0, kept[1] or 0.0, rel_tol=1e-3, abs_tol=1e-3):
            says = f"Keras keeps {kept[0]:g} of the state {name} at each step, PyTorch keeps {kept[1]:g} of it"
            exchanged = math.isclose((kept[0] or 0.0) + (kept[1] or 0.0), 1.0, rel_tol=1e-3)
            words = ": the weights of the old and of the new value (decay and 1 - decay) are exchanged"
            return "state_decay", says + (words if exchanged else ": the decay of the moving average differs")
        share = (kept[0] or 0.0) if None not in kept else 0.0
        added = [
            view.get(arrays) - share * view.get(before)
            for view, arrays, before in zip((link.keras, link.torch), after, self.before, strict=True)
        ]
        factor = multiple(added[0], added[1].reshape(added[0].shape))
        if factor is not None:
            words = f"both keep {share:g} of the old state" if share else "nothing of the old state is kept"
            return (
                "state_scale",
                f"What PyTorch adds to the state {name} is {factor:.6g} times what Keras adds; {words}",
            )
        return "state_update", f"Both update the state {name}, and not to the same value"

    def _kept(self, link: Link, after: tuple[Arrays, Arrays], training: bool) -> list[float | None]:
        """The share of the old state that each side keeps: what becomes of a state that is moved before the pass."""
        rng = np.random.default_rng(0)
        old = link.keras.get(self.before[0])
        moved = 0.1 * max(float(np.std(old)), 1e-3) * rng.random(old.shape).astype(np.float32)
        shares: list[float | None] = []
        sides = (self.whole.keras, self.whole.torch)
        for place, (side, view) in enumerate(zip(sides, (link.keras, link.torch), strict=True)):
            given = dict(self.before[place])
            view.put(given, view.get(given) + moved.reshape(view.own_shape))
            side.load({view.name: given[view.name]})
            try:
                now = self._after(training)[place]
            finally:
                side.load({view.name: self.before[place][view.name]})
            change = view.get(now) - view.get(after[place])
            still = float(np.linalg.norm(change)) <= 1e-4 * float(np.linalg.norm(moved))
            shares.append(0.0 if still else _share(moved.reshape(change.shape), change))
        return shares


def _share(moved: np.ndarray, change: np.ndarray) -> float | None:
    """How much of a move is left, where that is the same everywhere, up to the rounding of the state."""
    share = float(np.vdot(moved, change)) / float(np.vdot(moved, moved))
    return share if np.linalg.norm(change - share * moved) <= 1e-2 * np.linalg.norm(change) else None


def _short(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
