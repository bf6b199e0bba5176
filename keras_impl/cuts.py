"""What stops a gradient in a Keras model.

It may be left out, one by one: outputs stay as they are, and gradients are then those of the calls.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from keras.src import backend

from twin.trace import Cut


@contextmanager
def without(chosen: Collection[int], met: list[Cut], where: Callable[[], str]) -> Iterator[None]:
    """Within it those calls of `stop_gradient` stop nothing whose numbers are chosen, in the order of execution.

    Args:
        chosen: the numbers.
        met: where every call is written down.
        where: says which line of the user's code makes the call.
    """
    own = backend.core.stop_gradient

    def stop_gradient(variable: Any) -> Any:
        met.append(Cut("stop_gradient", where()))
        return variable if len(met) - 1 in chosen else own(variable)

    backend.core.stop_gradient = stop_gradient
    try:
        yield
    finally:
        backend.core.stop_gradient = own
