"""Weights cross: the pairing of arrays under which the two models agree from end to end, found by running it."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compare.verify import axes
from compare.verify.arrangement import FEW, MANY, found
from compare.verify.cells import rewritten, without_partner
from compare.verify.flow import places
from compare.verify.matching import GUESSES, pair
from compare.verify.pairing import Alone, Match, Pairing, Unpaired, unpaired
from compare.verify.probes import Probe
from compare.verify.segments import before_flatten
from compare.verify.shapes import same
from compare.verify.whole import FAR, Whole
from twin.bridge import Arrays, Leaf
from twin.trace import Event, Trace

SECONDS = 8.0  # for pairings beyond the first guesses, but no fewer than so many
TRIALS = 120
AGREE = 1e-3  # of outputs that other weights would set far apart


@dataclass
class Crossing:
    """Both models with equal weights, as far as that is possible.

    Args:
        whole: the models.
        back: whether PyTorch's weights go to Keras, and not Keras's to PyTorch.
        leaves: Keras's layers and PyTorch's.
        given: pairs that the user names.
        traces: both models' calls.
        count: how many layers differ by themselves with the weights of a pairing, which are loaded.
    """

    whole: Whole
    back: bool
    leaves: tuple[Sequence[Leaf], Sequence[Leaf]]
    given: Mapping[str, str]
    traces: tuple[Trace, Trace]
    count: Callable[[Pairing], int]

    def find(self) -> tuple[Pairing, float]:
        """The pairing under which both models agree in inference mode, else that under which the fewest layers differ.

        The weights of that pairing are loaded.

        Raises:
            Unpaired: when layers that are used have no partner.
        """
        guesses = self._guesses()
        limit = None
        tried: list[tuple[float, Pairing]] = []
        for pairing in guesses:
            far, placed = self._try(pairing)
            limit = self.whole.limit(False) if limit is None else limit
            if far <= limit:
                return placed, far
            tried.append((far, placed))
        best = min(tried, key=_far)
        for far, pairing in self._otherwise(tried, limit or 0.0):
            if far <= (limit or 0.0):
                return pairing, far
            best = min(best, (far, pairing), key=_far)
        if all(best[1] is not pairing for _, pairing in tried):
            tried.append(best)
        if best[0] != FAR or len(guesses) == 1:
            far, pairing = self._search(*best, limit or 0.0)
            if far <= (limit or 0.0):
                return pairing, far
            tried.append((far, pairing))
        pairing = self._usual(self._fewest([each for _, each in tried]), guesses[0])
        self.load(pairing)
        return pairing, self.whole.apart(False)

    def _otherwise(self, tried: Sequence[tuple[float, Pairing]], limit: float) -> Iterator[tuple[float, Pairing]]:
        """Each guess with all layers of a kind otherwise: a gate for a value says nothing of who is whose partner.

        Then the best of them all with the partners that the outputs tell.
        """
        best = min(tried, key=_far)
        for far, pairing in tried:
            for other in itertools.islice(pairing.at_once() if far != FAR else (), TRIALS // 4):
                self.load(other)
                found = self.whole.apart(False), other
                best = min(best, found, key=_far)
                yield found
        if best[0] != FAR and not best[1].shared:
            self.load(best[1])
            others = [*itertools.islice(best[1].at_once(), TRIALS // 4), *rewritten(best[1])]
            if told := Probe(self.whole, limit).partners([best[1], *others]):
                self.load(told)
                yield self.whole.apart(False), told

    def turned(self, pairing: Pairing) -> tuple[str, str, float] | None:
        """The matrix with which both models agree once it is transposed, and how far; the pairing's weights stay."""
        for keras, torch, other in pairing.turned():
            self.load(other)
            far = self.whole.apart(False)
            if far <= self.whole.limit(False):
                self.load(pairing)
                return keras, torch, far
        self.load(pairing)
        return None

    def _fewest(self, tried: Sequence[Pairing]) -> Pairing:
        """The pairing under which the fewest layers differ by themselves, from the likeliest on, while time allows."""
        start = time.monotonic()

        def counted(pairing: Pairing) -> int:
            self.load(pairing)
            return self.count(pairing)

        fewest, best = counted(tried[0]), tried[0]
        for trial, other in enumerate((*tried[1:], *tried[0].alternatives())):
            if fewest <= 1 or (time.monotonic() - start > SECONDS and trial > TRIALS // 4):
                break
            number = counted(other)
            if number < fewest:
                fewest, best = number, other
        return best

    def _usual(self, pairing: Pairing, guess: Pairing) -> Pairing:
        """With each bare array in its usual order of axes, unless more calls agree in another.

        Where nothing makes both agree, a picture that is learned may come nearer to the other side's lying on its side.
        """
        usual = {_names(each): each for each in guess.matches}
        moved = {
            place: usual[_names(match)]
            for place, match in enumerate(pairing.matches)
            if _names(match) in usual and _turned(match, usual[_names(match)])
        }
        if not moved:
            return pairing
        most = self._alike(pairing)
        for place, match in moved.items():
            other = pairing.exchanged({place: match})
            count = self._alike(other)
            if count >= most:
                most, pairing = count, other
        return pairing

    def _alike(self, pairing: Pairing) -> int:
        """How many of Keras's calls give what PyTorch has too."""
        self.load(pairing)
        mine = self.whole.keras.trace(self.whole.inputs)
        theirs = list(self.whole.torch.trace(self.whole.torch_inputs).values.values())
        values = [mine.values[number] for event in mine.events for number in event.outputs if number in mine.values]
        return sum(found(value, theirs) for value in values if value.dtype.kind == "f" and FEW <= value.size <= MANY)

    def _guesses(self) -> list[Pairing]:
        used = {
            side: set(places(trace, len(self.whole.inputs), [leaf.path for leaf in leaves]))
            for side, trace, leaves in zip(("Keras", "PyTorch"), self.traces, self.leaves, strict=True)
        }
        for side, trace, leaves in zip(("Keras", "PyTorch"), self.traces, self.leaves, strict=True):
            if trace.stopped:  # nobody knows what would have been used
                used[side] |= {leaf.path for leaf in leaves}
        out: list[Pairing] = []
        problem: Unpaired | None = None
        for weights in GUESSES:
            pairing = pair(*self.leaves, self.traces, len(self.whole.inputs), self.given, weights)
            told = unpaired(pairing, used)
            problem = problem or told
            if not told and all(pairing.shown != each.shown for each in out):
                out.append(pairing)
        if not out:
            assert problem is not None
            raise problem
        return [each for each in out if not each.against_names] or out

    def _try(self, pairing: Pairing) -> tuple[float, Pairing]:
        """Load by a pairing, with flattened axes in order; how far apart the outputs are."""
        self.load(pairing)
        axes_found = flattened(pairing, self.traces[0], self.whole)
        if not axes_found:
            return self.whole.apart(False), pairing
        plain = self.whole.apart(False)
        turned = pairing.reordered(axes_found)
        self.load(turned)
        far = self.whole.apart(False)
        if plain < AGREE < far:  # both arrange the row alike
            self.load(pairing)
            return plain, pairing
        return far, turned

    def _search(self, far: float, pairing: Pairing, limit: float) -> tuple[float, Pairing]:
        """Other pairings that fit, from the best one on, while time allows."""
        start = time.monotonic()
        improved, trials = True, 0
        while improved and (time.monotonic() - start < SECONDS or trials < TRIALS):
            improved = False
            for other in (*pairing.alternatives(), *rewritten(pairing)):
                trials += 1
                if time.monotonic() - start > SECONDS and trials > TRIALS:
                    break
                self.load(other)
                now = self.whole.apart(False)
                if now <= limit:
                    return now, other
                if now < 0.8 * far:
                    far, pairing, improved = now, other, True
                    break
        return far, pairing

    def load(self, pairing: Pairing) -> None:
        """Give one model the other's weights; arrays without partner in a paired layer change nothing."""
        keras, torch = self.whole.keras.dump(), self.whole.torch.dump()
        if self.back:
            changed = pairing.to_keras(torch, keras)
            self.whole.keras.load(changed | neutral(pairing.alone, "Keras", keras | changed, pairing))
            self.whole.torch.load(neutral(pairing.alone, "PyTorch", torch, pairing))
            self.whole.forget()
        else:
            changed = pairing.to_torch(keras, torch)
            self.whole.torch.load(changed | neutral(pairing.alone, "PyTorch", torch | changed, pairing))
            set_ = neutral(pairing.alone, "Keras", keras, pairing)
            if set_:
                self.whole.keras.load(set_)
                self.whole.forget()
        _serve(self.whole, pairing)


def _serve(whole: Whole, pairing: Pairing) -> None:
    """Give parts without partner the arrays of the part of their own side that does what they do in a second call."""
    for side, served, by in pairing.shared:
        subject = whole.keras if side == "Keras" else whole.torch
        now = subject.dump()
        out = dict(now)
        for role, view in served.views.items():
            view.put(out, by.views[role].get(now))
        subject.load({view.name: out[view.name] for view in served.views.values()})
        whole.forget()


def _far(each: tuple[float, Pairing]) -> float:
    return each[0]


def _names(match: Match) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(part.path for part in side) for side in (match.keras, match.torch))


def _turned(match: Match, other: Match) -> bool:
    """Whether an array of a match lies otherwise than in another match of the same parts."""
    views = [[link.torch for link in each.links] for each in (match, other)]
    return len(views[0]) == len(views[1]) and not all(map(same, *views))


def neutral(alone: Sequence[Alone], side: str, arrays: Mapping[str, np.ndarray], pairing: Pairing) -> Arrays:
    """Arrays without partner in layers that have one, so that they change nothing: scales are one, all else is zero."""
    matched = {id(part) for match in pairing.matches for part in (*match.keras, *match.torch)}
    out: Arrays = {}
    for each in alone:
        view = each.part.views[each.role]
        hand_written = each.part.kind == "array" and len(view.shape) == 1 and "bias" in each.part.path.lower()
        if each.side == side and (id(each.part) in matched or hand_written):
            value = np.ones if each.role in ("scale", "variance") else np.zeros
            given: Arrays = {view.name: np.array(out.get(view.name, arrays[view.name]))}
            view.put(given, value(view.own_shape, np.float32))
            out |= given
    for view in without_partner(pairing, side):
        given = {name: np.array(out.get(name, arrays[name])) for name in (view.name, view.plus) if name}
        view.put(given, np.zeros(view.own_shape, np.float32))
        out |= given
    return out


def flattened(pairing: Pairing, mine: Trace, whole: Whole) -> dict[str, dict[int, np.ndarray]]:
    """Axes of PyTorch's arrays whose positions are channels first, with Keras's order: array -> axis -> places."""
    dense = [m for m in pairing.matches if m.keras[0].kind == "dense" and len(m.keras) == len(m.torch) == 1]
    if not any(_reshapes(mine, match.keras[0].leaf.path) for match in dense):
        return {}
    theirs = whole.torch.trace(whole.torch_inputs)
    found: dict[str, dict[int, np.ndarray]] = {}
    for match in dense:
        one, other = match.keras[0].leaf.path, match.torch[0].leaf.path
        a = next((e for e in mine.events if e.leaf == one), None)
        b = next((e for e in theirs.events if e.leaf == other), None)
        kernel = match.torch[0].views.get("kernel")
        if a is None or b is None or kernel is None or not a.inputs or not b.inputs:
            continue
        keras, torch = before_flatten(mine, a.inputs[0]), before_flatten(theirs, b.inputs[0])
        if keras is not None and torch is not None and keras.size == torch.size and keras.ndim == torch.ndim:
            places = _places(keras, torch)
            if places is not None and len(places) == kernel.own_shape[0]:
                found.setdefault(kernel.name, {})[0] = places
        after, native = _after_reshape(mine, a), _after_reshape(theirs, b)
        if after is not None and native is not None:
            places = _unflattened(after[0], native[0], _convolved(mine, a))
            if places is not None and len(places) == kernel.own_shape[-1]:
                names = {match.torch[0].leaf.path, *native[1]}
                links = [link for each in pairing.matches if each.torch[0].leaf.path in names for link in each.links]
                for link in links:
                    found.setdefault(link.torch.name, {})[-1] = places
    return found


def _reshapes(trace: Trace, path: str) -> bool:
    event = next((e for e in trace.events if e.leaf == path), None)
    if event is None or not event.inputs:
        return False
    return before_flatten(trace, event.inputs[0]) is not None or _after_reshape(trace, event) is not None


def _places(keras: np.ndarray, torch: np.ndarray) -> np.ndarray | None:
    """For each position of Keras's flattened value its position in PyTorch's."""
    first = (0, *range(2, torch.ndim), 1)
    fits = axes.arrangements(torch.shape, keras.shape)
    far, close = axes.distance(keras, torch)
    order = close if far < 1e-2 or first not in fits else first
    if order is None or order == tuple(range(torch.ndim)) or order[0] != 0:
        return None
    places = np.arange(torch[0].size).reshape(torch.shape[1:]).transpose([axis - 1 for axis in order[1:]]).reshape(-1)
    return None if np.array_equal(places, np.arange(len(places))) else places


def _after_reshape(trace: Trace, event: Event) -> tuple[tuple[int, ...], list[str]] | None:
    """The shape that a row of features takes after a layer, and the norms on the way."""
    number = event.outputs[0]
    leaves: list[str] = []
    for _ in range(8):
        consumer = next((e for e in trace.events if number in e.inputs and e.index > event.index), None)
        value = trace.values.get(number)
        if consumer is None or value is None or value.ndim != 2 or not consumer.outputs:
            return None
        after = trace.values.get(consumer.outputs[0])
        if consumer.family == "shape" and after is not None and after.ndim > 2:
            return tuple(after.shape), leaves
        if consumer.family not in ("activation", "dropout", "batch_norm", "layer_norm", "shape"):
            return None
        if consumer.leaf:
            leaves.append(consumer.leaf)
        number = consumer.outputs[0]
    return None


def _convolved(trace: Trace, event: Event) -> bool:
    """Whether what a layer gives enters a convolution, or a norm of channels, as it is but for its arrangement."""
    todo, seen = [*event.outputs], set()
    while todo:
        number = todo.pop()
        for consumer in (e for e in trace.events if number in e.inputs and e.index not in seen):
            seen.add(consumer.index)
            if consumer.family in ("conv", "conv_transpose", "batch_norm"):
                return True
            if consumer.family in ("shape", "activation", "dropout", "layer_norm", "pool", "resize"):
                todo += consumer.outputs
    return False


def _unflattened(keras: tuple[int, ...], torch: tuple[int, ...], convolved: bool) -> np.ndarray | None:
    """For each position of Keras's row its position in PyTorch's, where one is made into channels last, one first."""
    if len(keras) != len(torch) or len(keras) < 3 or (keras[-1], *keras[1:-1]) != torch[1:]:
        return None
    if keras[1:] == torch[1:] and not convolved:
        return None
    places = np.moveaxis(np.arange(int(np.prod(torch[1:]))).reshape(torch[1:]), 0, -1).reshape(-1)
    return None if np.array_equal(places, np.arange(len(places))) else places
