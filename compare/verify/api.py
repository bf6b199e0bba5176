"""`twin.verify` and `twin.assert_twins`: a pair of models that are already here, for people's own test suites.

The one place where both frameworks are imported in one process, because the caller has done so already.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from compare.verify.examination import Examination
from compare.verify.inputs import layouts
from compare.verify.text import text
from compare.verify.verdict import Verdict


def verify(
    keras_model: Any,
    torch_model: Any,
    inputs: np.ndarray | Sequence[np.ndarray],
    *,
    weights: Literal["cross", "back", "own"] = "cross",
    torch_inputs: Sequence[np.ndarray] | None = None,
    pairs: Mapping[str, str] | None = None,
    training: bool = True,
) -> Verdict:
    """Where two models first differ, and why. Both have their own weights again afterwards.

    Args:
        keras_model: sequential, functional or subclassed, on any backend.
        torch_model: any module.
        inputs: one array per input with its batch, in Keras's layout (images channels last).
        weights: 'cross' compares with Keras's weights in both, 'back' with PyTorch's, 'own' leaves and compares them.
        torch_inputs: the same inputs in PyTorch's layout, where it cannot be told from the number of axes.
        pairs: layers that belong together, Keras path -> PyTorch path, where names and order do not tell.
        training: whether to examine training mode, running statistics included.

    Raises:
        TwinError: when layers do not pair up, or a model does not run on the inputs.
    """
    import torch  # noqa: F401, I001  # before TensorFlow, where both are in one process
    from torch_impl.tracing import Subject as TorchSubject
    from keras_impl.tracing import Subject as KerasSubject

    given = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
    given = [array.astype(np.int32 if array.dtype.kind in "iu" else np.float32) for array in given]
    mine: Any = KerasSubject(keras_model, given)  # the protocol's edits are PyTorch's only
    options = [[each] for each in torch_inputs] if torch_inputs else [layouts(array, None) for array in given]
    first = [each[0] for each in options]
    theirs: Any = TorchSubject(torch_model, first)
    for number in range(max(map(len, options))):
        chosen = [each[min(number, len(each) - 1)] for each in options]
        if not theirs.trace(chosen, keep=()).stopped:
            first = chosen
            break
    before = mine.dump(), theirs.dump()
    try:
        return Examination(mine, theirs, given, first, weights, pairs or {}, training).run()
    finally:
        mine.load(before[0])
        theirs.load(before[1])


def assert_twins(keras_model: Any, torch_model: Any, inputs: np.ndarray | Sequence[np.ndarray], **options: Any) -> None:
    """Fail, with the first difference and its cause as the message, unless both models agree.

    Args:
        keras_model, torch_model, inputs: as for `verify`.
        options: as for `verify`.

    Raises:
        AssertionError: when they differ.
        TwinError: when they cannot be compared.
    """
    __tracebackhide__ = True
    verdict = verify(keras_model, torch_model, inputs, **options)
    if verdict.verdict != "agree":
        raise AssertionError(text(verdict))
