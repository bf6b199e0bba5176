"""Whose partner each layer is, asked of the outputs.

All layers of one shape get equal values on both sides. Now both models compute the same, whoever is whose partner. Then
one layer after the other gets other values: the layer of the other side that moves the outputs alike is its partner. So
one pass of each model for each layer tells what is else one among all orders of the layers.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from compare.verify import axes
from compare.verify.names import told
from compare.verify.pairing import Link, Match, Over, Pairing
from compare.verify.parts import Part
from compare.verify.views import View
from compare.verify.whole import Whole, names_paired
from twin.bridge import Arrays
from twin.errors import TwinError

MOST_SECONDS = 40.0
UNSEEN = 1e-5  # of the outputs: a layer that moves them less says nothing
STOPS = (TwinError, RuntimeError, ValueError, IndexError, TypeError)

Values = dict[str, np.ndarray]  # by role
Outputs = tuple[np.ndarray, np.ndarray]  # Keras's and PyTorch's, in one row each


@dataclass(frozen=True)
class Unit:
    """Arrays that have one partner together: a layer's, or those of one piece of a merged layer.

    Args:
        match: where they stand in the pairing.
        keras, torch: the parts.
        links: array by array.
    """

    match: Match
    keras: Part
    torch: Part
    links: tuple[Link, ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """Units with one signature may have each other's partners. An array by itself may have any role."""
        return tuple(sorted((self.role(link), link.keras.own_shape) for link in self.links))

    @property
    def names(self) -> list[tuple[str, str]]:
        return [(part.path, part.leaf.kind) for part in (self.keras, self.torch)]

    def role(self, link: Link) -> str:
        return link.role if len(self.links) > 1 else ""

    def with_partner(self, other: "Unit") -> "Unit":
        """These arrays of Keras's with the partners of another's."""
        theirs = {other.role(link): link.torch for link in other.links}
        links = tuple(replace(link, torch=theirs[self.role(link)]) for link in self.links)
        return replace(self, torch=other.torch, links=links)


def units(pairing: Pairing) -> list[Unit]:
    """Every layer or piece that has a partner."""
    found = []
    for match in pairing.matches:
        single = len(match.keras) == 1
        for part in match.torch if single else match.keras:
            own = {_place(view) for view in part.views.values()}
            links = tuple(each for each in match.links if _place(each.torch if single else each.keras) in own)
            if links:
                ends = (match.keras[0], part) if single else (part, match.torch[0])
                found.append(Unit(match, *ends, links))
    return found


def _place(view: View) -> tuple[object, ...]:
    return view.name, view.rows, view.columns


@dataclass
class Probe:
    """Both models, with the weights of a pairing loaded, which they have again afterwards.

    Args:
        whole: the models.
        limit: how far apart the outputs of equal models may be.
    """

    whole: Whole
    limit: float
    keras: Arrays = field(init=False)
    torch: Arrays = field(init=False)

    def __post_init__(self) -> None:
        self.keras, self.torch = self.whole.keras.dump(), self.whole.torch.dump()

    def partners(self, pairings: Sequence[Pairing]) -> Pairing | None:
        """Of the first pairing under which both models compute the same with equal values, who is whose partner.

        Where both do so under none of them, the first is taken: two movements are then merely the most alike.

        Args:
            pairings: which differ in more than in who is whose partner, such as in the order of gates.

        Returns:
            None where the outputs do not tell.
        """
        begun = time.monotonic()
        try:
            first, rest = pairings[0], pairings[1:]
            held = Held(self, first)
            passes, took = sum(len(group) for group in held.groups if len(group) > 1), time.monotonic() - begun
            if not passes or passes * took > MOST_SECONDS:
                return None
            while held.apart > self.limit and rest and time.monotonic() < begun + MOST_SECONDS:
                held, rest = Held(self, rest[0]), rest[1:]
            return (held if held.apart <= self.limit else Held(self, first)).partners()
        except STOPS:  # a model may stop at values that it never has
            return None
        finally:
            self.load(self.keras, self.torch)

    def load(self, keras: Mapping[str, np.ndarray], torch: Mapping[str, np.ndarray]) -> None:
        self.whole.keras.load(keras)
        self.whole.torch.load(torch)
        self.whole.forget()

    def outputs(self, orders: dict[str, tuple[int, ...]]) -> Outputs:
        """What both models give, in one row each, with its axes in one order.

        Args:
            orders: of the axes of PyTorch's outputs, by Keras's name; those that are not known are added.

        Raises:
            ValueError: where the outputs have other shapes, or are not finite.
        """
        mine = self.whole.keras_outputs(False)
        theirs = self.whole.torch.outputs(self.whole.torch_inputs, False)
        rows: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        for name, native in names_paired(mine, theirs):
            one, other = np.squeeze(mine[name]), np.squeeze(theirs[native])
            if one.dtype.kind != "f" or other.dtype.kind != "f":
                continue
            if name not in orders:
                orders[name] = axes.distance(one, other)[1] or ()
            other = other.transpose(orders[name]) if orders[name] else other
            rows[0].append(one.ravel().astype(np.float64))
            rows[1].append(other.ravel().astype(np.float64))
        keras, torch = (np.concatenate(each) if each else np.zeros(0) for each in rows)
        if keras.shape != torch.shape or not keras.size or not np.isfinite([keras, torch]).all():
            raise ValueError("the outputs do not tell")
        return keras, torch


class Held:
    """Both models with equal values in all layers of one shape."""

    def __init__(self, probe: Probe, pairing: Pairing):
        alike: dict[tuple[object, ...], list[Unit]] = {}
        for unit in units(pairing):
            alike.setdefault(unit.signature, []).append(unit)
        self.probe, self.pairing, self.groups = probe, pairing, list(alike.values())
        keras: Arrays = Over(probe.keras)
        torch: Arrays = Over(probe.torch)
        for group in self.groups:
            values = self._values(group)
            for unit in group:
                _put(unit, values, keras, torch)
        self.keras, self.torch = {**probe.keras, **keras}, {**probe.torch, **torch}
        probe.load(keras, torch)
        self.orders: dict[str, tuple[int, ...]] = {}
        self.before = probe.outputs(self.orders)
        self.scale = float(np.linalg.norm(self.before[0]))

    @property
    def apart(self) -> float:
        return axes.relative(self.before[1], self.before[0])

    def _values(self, group: Sequence[Unit]) -> Values:
        """The values of the first unit of a group. Any vector may be a variance, which is not negative."""
        out = {}
        for link in group[0].links:
            value = link.keras.get(self.probe.keras)
            positive = len(group) > 1 and value.ndim < 2
            out[group[0].role(link)] = 0.5 + abs(value) if positive else value
        return out

    def partners(self) -> Pairing:
        """The pairing with the partners that move the outputs alike."""
        found: list[Unit] = []
        for group in self.groups:
            if len(group) == 1:
                found += group
                continue
            rng = np.random.default_rng(0)
            other = {role: _other(value, rng) for role, value in self._values(group).items()}
            moved = [self._moved(unit, other) for unit in group]
            far = np.array([[self._far(one[0], two[1]) for two in moved] for one in moved])
            for i, j in itertools.permutations(range(len(group)), 2):
                # Where outputs tell nothing the guess stays; what names tell stays in any case.
                far[i, j] += len(group) if told(group[i].names, group[j].names) else 1e-3
            found += [group[i].with_partner(group[j]) for i, j in zip(*linear_sum_assignment(far), strict=True)]
        return replace(self.pairing, matches=tuple(_matches(found)))

    def _moved(self, unit: Unit, values: Values) -> Outputs:
        """How both models' outputs move when one unit of them gets other values."""
        keras: Arrays = Over(self.keras)
        torch: Arrays = Over(self.torch)
        _put(unit, values, keras, torch)
        self.probe.load(keras, torch)
        after = self.probe.outputs(self.orders)
        self.probe.load({name: self.keras[name] for name in keras}, {name: self.torch[name] for name in torch})
        return after[0] - self.before[0], after[1] - self.before[1]

    def _far(self, keras: np.ndarray, torch: np.ndarray) -> float:
        """How far apart two movements are, from 0 to about 1; 0 where neither side moves."""
        own = max(float(np.linalg.norm(keras)), float(np.linalg.norm(torch)))
        return float(np.linalg.norm(keras - torch)) / own if own > UNSEEN * self.scale else 0.0


def _put(unit: Unit, values: Values, keras: Arrays, torch: Arrays) -> None:
    """Write the values of a unit's roles into the arrays of both models."""
    for link in unit.links:
        link.keras.put(keras, values[unit.role(link)])
        link.torch.put(torch, values[unit.role(link)])


def _other(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other values as a layer may have them: the same in another order, or where that changes nothing larger ones."""
    moved = rng.permutation(value.ravel()).reshape(value.shape)
    return 1.5 * value + 0.1 if np.array_equal(moved, value) else moved


def _matches(found: Sequence[Unit]) -> list[Match]:
    """Units that share a part are one match, as long as that part is the only one of its side."""
    groups: list[list[Unit]] = []
    for unit in found:
        near = [group for group in groups if any(unit.keras is e.keras or unit.torch is e.torch for e in group)]
        groups = [group for group in groups if all(group is not each for each in near)]
        groups.append([each for group in near for each in group] + [unit])
    out = []
    for group in groups:
        several = min(len({id(unit.keras) for unit in group}), len({id(unit.torch) for unit in group})) > 1
        out += [_match([unit]) for unit in group] if several else [_match(group)]
    return out


def _match(group: Sequence[Unit]) -> Match:
    keras, torch = {id(unit.keras): unit.keras for unit in group}, {id(unit.torch): unit.torch for unit in group}
    links = tuple(link for unit in group for link in unit.links)
    sure, turns = (all(getattr(unit.match, name) for unit in group) for name in ("sure", "turns"))
    return Match(tuple(keras.values()), tuple(torch.values()), links, sure, turns)
