"""A twin's arrays as its model on either side takes and returns them, where no framework is at hand."""

from collections.abc import Mapping

import numpy as np

from twin.spec import AXES, Layout, Twin

Arrays = dict[str, np.ndarray]
WHOLE = {"keras": np.int32, "torch": np.int64}  # the dtype of whole numbers, as `train.to_tensor` of either side has it


def to_native(twin: Twin, side: str, batch: Mapping[str, np.ndarray]) -> Arrays:
    """The model's inputs out of a batch: axes in the model's order, float32, whole numbers as that side has them."""
    out: Arrays = {}
    for name, array in twin.inputs_of(batch).items():
        kinds = {"f": np.float32, "b": np.bool_}
        moved = _moved(array, twin.layout(name)) if side == "torch" else array
        out[name] = np.ascontiguousarray(moved, kinds.get(array.dtype.kind, WHOLE[side]))
    return out


def from_native(twin: Twin, side: str, outputs: Mapping[str, np.ndarray]) -> Arrays:
    """A model's outputs with their axes in the data's order; what has other axes than it should stays as it is."""
    if side == "keras":
        return dict(outputs)
    return {name: _moved_back(array, twin.output_layout(name)) for name, array in outputs.items()}


def _moved(array: np.ndarray, layout: Layout) -> np.ndarray:
    return array if layout == "as is" else np.moveaxis(array, -1, AXES[layout][1].index("C"))


def _moved_back(array: np.ndarray, layout: Layout) -> np.ndarray:
    if layout == "as is" or array.ndim != len(AXES[layout][1]):
        return array
    return np.moveaxis(array, AXES[layout][1].index("C"), -1)
