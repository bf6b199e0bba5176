"""What a row of the catalogue of differences states: plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np


class Drawn(NamedTuple):
    """An input of random numbers: `shift + scale * draw`, from a seeded generator."""

    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform"] = "normal"
    scale: float = 1.0
    shift: float = 0.0

    def __str__(self) -> str:
        shift = f"{self.shift:g} + " if self.shift else ""
        scale = f"{self.scale:g} * " if self.scale != 1 else ""
        return f"{shift}{scale}{self.distribution}{self.shape}"


class Try(NamedTuple):
    """How to write PyTorch's call so that it does what Keras's does; `twin verify` runs it where the call occurs.

    Args:
        calls: names of PyTorch functions, as a call of a module arrives there: `gelu`, `scaled_dot_product_attention`.
        arguments: name -> its value as code, in which the call's own arguments have their names.
        after: code of `x`, the call's result.
    """

    calls: tuple[str, ...]
    arguments: Mapping[str, str] = {}
    after: str = ""


Inputs = Mapping[str, Any]  # name -> Drawn, or the numbers themselves


@dataclass(frozen=True)
class Row:
    """One silent difference: lines that look the same and do not do the same.

    `keras_impl/differences/<topic>.py` and `torch_impl/differences/<topic>.py` each have a function of the row's name,
    which takes the inputs and returns what the usual line gives. A function `<name>_equal` on either side is
    that side's line written so that it does what the other side's usual line does.

    Args:
        name: of the functions, and on the command line.
        title: a few words.
        keras: what Keras's usual line does.
        torch: what PyTorch's does.
        kind: 'choice' where both are sound, 'bug' where a framework does what it does not promise, 'none' where
            nothing differs (see `same`).
        source: where that is documented, or the source files, or the issue.
        remedy: how to write it so that both agree.
        hides: in which cases the difference cannot be seen; or why nothing hides it.
        gap: the largest absolute difference between the usual lines, as measured; by Keras backend where it is not
            the same for all, and then a backend that is left out is not measured.
        inputs: what both sides are given.
        hiding: other values for some inputs, on which the gap vanishes; empty where nothing hides it.
        limit: relative L2 distance up to which the equal lines agree; wider where chance or rounding forbids it.
        tries: how PyTorch's call is written otherwise: where one of them makes both models agree, `twin verify` names
            the row as the cause.
        otherwise: why there is no such call: who finds it instead, or why a model's outputs cannot show it.
        band: relative departure of `gap` that is no change: wider where it is rounding or chance.
    """

    name: str
    title: str
    keras: str
    torch: str
    source: str
    remedy: str
    hides: str
    gap: float | Mapping[str, float]
    inputs: Inputs = field(default_factory=dict)
    hiding: Inputs = field(default_factory=dict)
    kind: Literal["choice", "bug", "none"] = "choice"
    limit: float = 1e-5
    band: float = 0.01
    tries: tuple[Try, ...] = ()
    otherwise: str = ""

    def is_about(self, backend: str) -> bool:
        """Whether the row is measured with Keras on that backend."""
        return not isinstance(self.gap, Mapping) or backend in self.gap

    def gap_on(self, backend: str) -> float:
        """The recorded gap with Keras on that backend."""
        return self.gap[backend] if isinstance(self.gap, Mapping) else self.gap

    def arrays(self, hiding: bool = False) -> dict[str, np.ndarray]:
        """The inputs, or those on which the gap vanishes: float32, or int32 where all numbers are whole `int`."""
        rng = np.random.default_rng(0)
        wanted = {**self.inputs, **self.hiding} if hiding else self.inputs
        return {name: _array(given, rng) for name, given in wanted.items()}


def same(name: str, title: str, inputs: Inputs) -> Row:
    """What might differ and does not: a row without a gap, and so without a remedy."""
    return Row(name, title, keras="", torch="", source="", remedy="", hides="", gap=0.0, inputs=inputs, kind="none")


def _array(given: Any, rng: np.random.Generator) -> np.ndarray:
    if not isinstance(given, Drawn):
        array = np.asarray(given)
        return array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
    draw = rng.standard_normal(given.shape) if given.distribution == "normal" else rng.random(given.shape)
    return (given.shift + given.scale * draw).astype(np.float32)
