"""What an examination asks of a model."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from twin.bridge import Arrays, Leaf
from twin.trace import Trace


class Subject(Protocol):
    """A model that can be examined: keras_impl.tracing.Subject, torch_impl.tracing.Subject, or one in a worker."""

    def leaves(self) -> list[Leaf]: ...
    def load(self, arrays: Mapping[str, np.ndarray]) -> None: ...
    def dump(self) -> Arrays: ...
    def trace(self, inputs: Sequence[np.ndarray], training: bool = False, **edited: Any) -> Trace: ...
    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> Arrays: ...
    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]: ...
    def gradients(
        self,
        inputs: Sequence[np.ndarray],
        cotangents: Mapping[str, np.ndarray],
        training: bool,
        masks: bool = False,
        uncut: Sequence[int] = (),
    ) -> Arrays: ...
    def cuts(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> Sequence[Sequence[str]]: ...
    def statistics(
        self,
        inputs: Sequence[np.ndarray],
        masks: bool = False,
        training: bool = True,
        momenta: Mapping[str, float] | None = None,
    ) -> Arrays: ...
    def attempt(self, code: Sequence[str], path: str, inputs: Sequence[np.ndarray], training: bool) -> Arrays: ...
