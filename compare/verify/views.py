"""Where an array lies in a model's array, and how it becomes the form that both frameworks share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from twin.bridge import Arrays


@dataclass(frozen=True)
class View:
    """Where a part's array lies in a model's array, and how it becomes the common form.

    Args:
        name: the model's array.
        shape: of the common form.
        rows: of the model's array, start and end along its first axis; all where it is empty.
        order: of the model's axes.
        turned: the shape after `order`.
        gates: blocks of the last axis: the i-th of the common form is the model's gates[i].
        plus: another array of the model that is added to this one; zero once the part is put.
        places: per axis 0 and -1, the model's positions in the order of the common form.
        columns: a piece of the common form's last axis, start and end.
        lines: a piece of the axis before the last, along which lies what enters.
    """

    name: str
    shape: tuple[int, ...]
    rows: tuple[int, int] | None = None
    order: tuple[int, ...] = ()
    turned: tuple[int, ...] = ()
    gates: tuple[int, ...] = ()
    plus: str = ""
    places: Mapping[int, np.ndarray] = field(default_factory=dict)
    columns: tuple[int, int] | None = None
    lines: tuple[int, int] | None = None

    def get(self, arrays: Mapping[str, np.ndarray], added: bool = True) -> np.ndarray:
        """The common form; without `added`, of the first array alone (as a gradient wants it)."""
        value = self._whole(np.asarray(arrays[self.name]))
        if self.plus and added:
            value = value + self._whole(np.asarray(arrays[self.plus]))
        return value[self._piece] if self.columns or self.lines else value

    def put(self, arrays: Arrays, value: np.ndarray) -> None:
        """Write the common form into the model's array, which must be there."""
        if self.columns or self.lines:
            whole = replace(self, columns=None, lines=None)
            base = whole.get(arrays).copy()
            base[self._piece] = value.reshape(self.own_shape)
            whole.put(arrays, base)
            return
        native = arrays[self.name] = np.array(arrays[self.name])
        value = self._back(value.reshape(self.shape))
        if self.rows is None:
            native[...] = value.reshape(native.shape)
        else:
            native[self.rows[0] : self.rows[1]] = value.reshape(native[self.rows[0] : self.rows[1]].shape)
        if self.plus:
            other = arrays[self.plus] = np.array(arrays[self.plus])
            if self.rows is None:
                other[...] = 0
            else:
                other[self.rows[0] : self.rows[1]] = 0

    def _whole(self, native: np.ndarray) -> np.ndarray:
        value = native if self.rows is None else native[self.rows[0] : self.rows[1]]
        if self.order:  # the common form may have no axes of length 1, and others merged or split
            value = value.reshape([self.turned[place] for place in np.argsort(self.order)])
        value = value.transpose(self.order) if self.order else value
        value = value.reshape(self.shape)
        if self.gates:
            blocks = np.split(value, len(self.gates), axis=-1)
            value = np.concatenate([blocks[gate] for gate in self.gates], axis=-1)
        for axis, places in self.places.items():
            value = np.take(value, places, axis=axis)
        return value

    def _back(self, value: np.ndarray) -> np.ndarray:
        for axis, places in self.places.items():
            value = np.take(value, np.argsort(places), axis=axis)
        if self.gates:
            blocks = np.split(value, len(self.gates), axis=-1)
            value = np.concatenate([blocks[self.gates.index(i)] for i in range(len(self.gates))], axis=-1)
        return value.reshape(self.turned).transpose(np.argsort(self.order)) if self.order else value

    def piece(self, start: int, end: int) -> "View":
        """A piece of the last axis."""
        return replace(self, columns=(start, end))

    @property
    def _piece(self) -> tuple[slice, ...]:
        pieces = [slice(None)] * len(self.shape)
        for axis, piece in ((-1, self.columns), (-2, self.lines)):
            if piece:
                pieces[axis] = slice(*piece)
        return tuple(pieces)

    @property
    def size(self) -> int:
        """How many values there are."""
        return math.prod(self.own_shape)

    @property
    def own_shape(self) -> tuple[int, ...]:
        """The shape of what `get` returns."""
        shape = list(self.shape)
        for axis, piece in ((-1, self.columns), (-2, self.lines)):
            if piece:
                shape[axis] = piece[1] - piece[0]
        return tuple(shape)
