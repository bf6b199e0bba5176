"""One array in the shape of another: with axes of length 1 more or less, in another order, merged or split.

A layer written by hand may keep a kernel as (in, heads, size) where a stock layer has (in, heads * size).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from compare.verify.views import View

MOST_AXES = 5  # orders of more are too many
MOST_WAYS = 4  # other arrangements of one array that are tried


def fit(one: Sequence[int], other: Sequence[int]) -> float:
    """2 where two shapes are the same but for axes of length 1, 1 where one is the other turned, else 0."""
    thin = _thin(one), _thin(other)
    if thin[0] == thin[1]:
        return 2.0
    return 1.0 if sorted(thin[0]) == sorted(thin[1]) else 0.0


def fit_merged(one: Sequence[int], other: Sequence[int]) -> float:
    """As `fit`, and half where the axes of one, merged, are those of the other."""
    thin = sorted((_thin(one), _thin(other)), key=len)
    whole = fit(one, other)
    if whole or not thin[0] or len(thin[1]) == len(thin[0]) or len(thin[1]) > MOST_AXES:
        return whole
    return 0.5 if next(_orders(thin[1], thin[0]), None) is not None else 0.0


def as_shape(view: View, shape: Sequence[int]) -> View:
    """A view of an array in another shape, in the usual one of the arrangements that fit."""
    if view.columns or view.lines or view.own_shape == tuple(shape):
        return view
    if _thin(view.shape) == _thin(shape):
        return replace(view, shape=tuple(shape))
    return next(iter(ways(view, shape)), view)


def ways(view: View, shape: Sequence[int]) -> list[View]:
    """Every arrangement of an array that has a shape, the usual ones first."""
    if view.columns or view.lines or view.gates or view.places:
        return []
    native, wanted = _thin(_native(view)), _thin(shape)
    if max(len(native), len(wanted)) > MOST_AXES:
        return []
    finer = len(native) >= len(wanted)
    found = []
    for order in _orders(native, wanted) if finer else _orders(wanted, native):
        own = order if finer else tuple(int(place) for place in np.argsort(order))
        turned = tuple(native[axis] for axis in order) if finer else wanted
        found.append(replace(view, order=own, turned=turned, shape=tuple(shape)))
    rank = len(native)
    plain = tuple(range(rank))
    usual = (plain, (*range(2, rank), 1, 0), (*range(1, rank), 0))  # a convolution's, and channels first
    if 1 in (view.shape[0], shape[0]) and rank > 2:  # what is learned for a batch of one is no kernel
        usual = (usual[0], usual[2], usual[1])
    places = np.arange(int(np.prod(native))).reshape(_native(view))
    common = _values(view, places)
    best = {own: place for place, own in enumerate(usual)}

    def rank_of(each: View) -> tuple[bool, int]:
        kept = bool(view.order) and np.array_equal(_values(each, places).ravel(), common.ravel())
        return not kept, best.get(each.order, len(usual))

    return sorted(found, key=rank_of)


def same(one: View, other: View) -> bool:
    """Whether two views make the same of one array."""
    places = np.arange(int(np.prod(_native(one)))).reshape(_native(one))
    return one.own_shape == other.own_shape and np.array_equal(_values(one, places), _values(other, places))


def _values(view: View, native: np.ndarray) -> np.ndarray:
    """What a view makes of its array."""
    return replace(view, rows=None, plus="").get({view.name: native})


def _native(view: View) -> tuple[int, ...]:
    """The shape of the model's array, or of the rows of it that a view shows."""
    return tuple(view.turned[place] for place in np.argsort(view.order)) if view.order else view.shape


def _thin(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1)


def _orders(fine: Sequence[int], coarse: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Orders of axes in which one shape becomes another by merging neighbours."""
    for order in permutations(range(len(fine))):
        if _merges([fine[axis] for axis in order], coarse):
            yield order


def _merges(fine: Sequence[int], coarse: Sequence[int]) -> bool:
    """Whether neighbouring axes, merged, give a shape."""
    left = list(coarse)
    now = 1
    for length in fine:
        if not left:
            return False
        now *= length
        if now == left[0]:
            left.pop(0)
            now = 1
        elif now > left[0]:
            return False
    return not left and now == 1
