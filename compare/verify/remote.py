"""A model in a worker process, examined as if it were here; and the inputs that both models get."""

import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from compare.engines.process import Worker, WorkerFailed
from twin import arrays
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError
from twin.trace import Trace

ROWS, FEW = 4, 2  # of a made input; BatchNorm needs more than one
LARGE = 50_000  # values in a row, above which a few rows are enough


class Remote:
    """The methods of a Subject, answered by a worker.

    Args:
        worker: of the engine that the model runs on.
        timeout: seconds per request.
        reference: the user's model, `file.py:callable`.
        kwargs: its arguments.
        inputs: one input of each kind.
        folder: made here, for the arrays on their way.

    Raises:
        TwinError: when the model cannot be made.
    """

    def __init__(
        self,
        worker: Worker,
        timeout: float,
        reference: str,
        kwargs: Mapping[str, Any],
        inputs: Sequence[np.ndarray],
        folder: Path,
    ):
        self.worker, self.timeout, self.folder = worker, timeout, folder
        self.loss_reference = self.optimizer_reference = ""
        folder.mkdir()
        file = self._file(inputs)
        answer = self._ask("open", model=reference, kwargs=dict(kwargs), inputs=file)
        self.found = [Leaf.from_json(leaf) for leaf in answer["leaves"]]

    def leaves(self) -> list[Leaf]:
        return self.found

    def read(self, file: str) -> None:
        """Load weights from a file."""
        self._ask("read_weights", file=str(Path(file).resolve()))

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._examine("load", {}, {"arrays": arrays})

    def dump(self) -> Arrays:
        return self._examine("dump", {}, {})[1]

    def trace(self, inputs: Sequence[np.ndarray], training: bool = False, **edited: Any) -> Trace:
        given = {"inputs": self._numbered(inputs)}
        fields: dict[str, Any] = {"training": training}
        if "arrays" in edited:
            given["arrays"] = edited["arrays"]
            fields["edits"] = list(edited["edits"])
        if "keep" in edited:
            fields["keep"] = list(edited["keep"])
        return Trace.unpack(*self._examine("trace", fields, given))

    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> Arrays:
        fields = {"training": training, "masks": masks}
        return self._examine("outputs", fields, {"inputs": self._numbered(inputs)})[1]

    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]:
        return list(self._examine("dropped", {"training": training}, {"inputs": self._numbered(inputs)})[0]["found"])

    def input_kinds(self) -> list[str]:
        return list(self._examine("input_kinds", {}, {})[0]["found"])

    def gradients(
        self, inputs: Sequence[np.ndarray], cotangents: Mapping[str, np.ndarray], training: bool, masks: bool = False
    ) -> Arrays:
        given = {"inputs": self._numbered(inputs), "cotangents": cotangents}
        return self._examine("gradients", {"training": training, "masks": masks}, given)[1]

    def statistics(self, inputs: Sequence[np.ndarray], masks: bool = False) -> Arrays:
        return self._examine("statistics", {"masks": masks}, {"inputs": self._numbered(inputs)})[1]

    def regularizers(self) -> dict[str, list[float]]:
        return dict(self._examine("regularizers", {}, {})[0]["found"])

    def loss(
        self, outputs: np.ndarray, target: np.ndarray, transform: str = "", changes: Mapping[str, Any] | None = None
    ) -> tuple[float, np.ndarray, str]:
        arrays.write(self.folder / "given", {"outputs": outputs, "target": target})
        fields: dict[str, Any] = {
            "reference": self.loss_reference,
            "given": str(self.folder / "given"),
            "transform": transform,
            "changes": dict(changes or {}),
        }
        try:
            answer = self.worker.ask("loss", self.timeout, out=str(self.folder / "out"), **fields)
        except WorkerFailed as failure:
            if not transform and not changes:
                raise TwinError(f"--loss {self.loss_reference}: {failure.reason}") from failure
            return float("nan"), np.zeros_like(outputs), ""  # what takes logits may refuse anything else
        return answer["value"], arrays.read(self.folder / "out")["gradient"], answer["text"]

    def updates(
        self,
        weights: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        changes: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        named = {f"weights/{place}": array for place, array in enumerate(weights)}
        arrays.write(self.folder / "given", named | {f"gradients/{i}": array for i, array in enumerate(gradients)})
        fields: dict[str, Any] = {
            "reference": self.optimizer_reference,
            "given": str(self.folder / "given"),
            "changes": dict(changes or {}),
        }
        try:
            answer = self.worker.ask("updates", self.timeout, out=str(self.folder / "out"), **fields)
        except WorkerFailed as failure:
            raise TwinError(f"--optimizer {self.optimizer_reference}: {failure.reason}") from failure
        after = arrays.read(self.folder / "out")
        return answer, [after[str(place)] for place in range(len(weights))]

    def _numbered(self, inputs: Sequence[np.ndarray]) -> Arrays:
        return {str(place): array for place, array in enumerate(inputs)}

    def _file(self, inputs: Sequence[np.ndarray]) -> str:
        path = self.folder / "inputs"
        arrays.write(path, self._numbered(inputs))
        return str(path)

    def _examine(
        self, method: str, fields: Mapping[str, Any], given: Mapping[str, Mapping[str, np.ndarray]]
    ) -> tuple[dict[str, Any], Arrays]:
        files = {}
        for name, named in given.items():
            arrays.write(self.folder / name, named)
            files[name] = str(self.folder / name)
        out = self.folder / "out"
        answer = self._ask("examine", method=method, fields=dict(fields), files=files, out=str(out))
        return answer, {} if method == "load" or "found" in answer else arrays.read(out)

    def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        try:
            return self.worker.ask(op, self.timeout, **fields)
        except WorkerFailed as failure:
            side = "PyTorch" if self.worker.engine.side == "torch" else "Keras"
            raise TwinError(f"the {side} model: {failure.reason}") from failure


def make_inputs(shapes: Sequence[Sequence[int]], kinds: Sequence[str], seed: int) -> list[np.ndarray]:
    """Made inputs of the given shapes, without the batch: normal floats, or small whole numbers."""
    rng = np.random.default_rng(seed)
    rows = FEW if max(math.prod(shape) for shape in shapes) > LARGE else ROWS
    out = []
    for place, shape in enumerate(shapes):
        kind = kinds[min(place, len(kinds) - 1)] if kinds else "float"
        size = (rows, *shape)
        out.append(
            rng.integers(0, 8, size).astype(np.int32) if kind == "int" else rng.standard_normal(size).astype(np.float32)
        )
    return out


def layouts(array: np.ndarray, shape: Sequence[int] | None) -> list[np.ndarray]:
    """An input in the layouts in which a PyTorch model may expect it, the likeliest first.

    Args:
        array: in Keras's layout.
        shape: what PyTorch expects without the batch, where the user says so.

    Raises:
        TwinError: when no order of axes gives that shape.
    """
    first = (0, array.ndim - 1, *range(1, array.ndim - 1))
    if shape is not None:
        rest = [(0, *order) for order in permutations(range(1, array.ndim))]
        orders = [
            o
            for o in (tuple(range(array.ndim)), first, *rest)
            if tuple(array.shape[axis] for axis in o[1:]) == tuple(shape)
        ]
        if not orders:
            raise TwinError(
                f"--torch-input {','.join(map(str, shape))}: no order of the axes of {array.shape[1:]} gives that"
            )
        orders = orders[:1]
    elif array.ndim >= 4:
        orders = [first, tuple(range(array.ndim))]
    elif array.ndim == 3:
        orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2)]
    else:
        orders = [tuple(range(array.ndim))]
    return [np.ascontiguousarray(array.transpose(order)) for order in orders]
