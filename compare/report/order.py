"""In which order reports name engines: Keras before PyTorch, as everywhere where people read them side by side."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from compare.engines.engine import everything
from compare.record.measurement import Measurement

M = TypeVar("M", bound=Measurement)


def side(engine: str) -> str:
    """'keras' or 'torch', also of an engine that this version does not know."""
    return "torch" if engine.partition(":")[0] == "torch" else "keras"


def keras_first(engines: Iterable[str]) -> list[str]:
    """Engines by side, then as the command line names them."""
    order = list(everything())
    return sorted(engines, key=lambda e: (side(e) == "torch", order.index(e) if e in order else len(order)))


def by_side(measurements: Sequence[M]) -> list[M]:
    """Measurements in the order of their engines."""
    order = {engine: at for at, engine in enumerate(keras_first(dict.fromkeys(each.engine for each in measurements)))}
    return sorted(measurements, key=lambda each: order[each.engine])
