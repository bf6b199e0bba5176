"""A user's own model, loss and optimizer in a worker, examined as if they were here."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from compare.engines import answers
from compare.engines.engine import FRAMEWORKS
from compare.engines.process import WorkerFailed
from compare.engines.session import Named, Session
from twin.bridge import Arrays, Leaf
from twin.errors import TwinError
from twin.trace import Trace

T = TypeVar("T")


class OpenedModel:
    """A model that the user's code makes; its methods are those of a Subject (`tracing.py` on either side).

    What fails in it is for the user to mend: every method raises a TwinError that names the side.

    Args:
        session: with a worker of the model's side.
        model: what to call, `file.py:callable`.
        kwargs: its arguments.
        inputs: one input of each kind.
    """

    loss_reference = optimizer_reference = ""  # the user's own, or a stock name

    def __init__(self, session: Session, model: str, kwargs: Mapping[str, Any], inputs: Sequence[np.ndarray]):
        self.session = session
        given = {"inputs": numbered(inputs)}
        built, _ = self._ask(answers.Built, "open", given, False, model=model, kwargs=dict(kwargs))
        self.found = built.leaves

    def as_loss(self, inputs: Sequence[np.ndarray]) -> "OpenedModel":
        """The loss of `loss_reference` as the model that the worker has open from now on; this one is open no more.

        Args:
            inputs: outputs and targets.
        """
        other = copy.copy(self)
        built, _ = other._ask(
            answers.Built, "open_loss", {"inputs": numbered(inputs)}, False, reference=self.loss_reference
        )
        other.found = built.leaves
        return other

    def leaves(self) -> list[Leaf]:
        """The layers that own weights."""
        return self.found

    def read(self, file: str) -> None:
        """Load weights from a file."""
        self._ask(answers.Nothing, "read_weights", {}, False, file=str(Path(file).resolve()))

    def load(self, arrays: Named) -> None:
        """Set every weight."""
        self._ask(answers.Nothing, "examine", {"arrays": arrays}, False, method="load", fields={})

    def dump(self) -> Arrays:
        """Every weight."""
        return self._examine("dump", {}, {})[1]

    def trace(self, inputs: Sequence[np.ndarray], training: bool = False, **edited: Any) -> Trace:
        """Every call of a pass; `edited` may have `edits` with their `arrays`, `keep` and `masks`."""
        given: dict[str, Named] = {"inputs": numbered(inputs)}
        fields: dict[str, Any] = {"training": training}
        if "arrays" in edited:
            given["arrays"] = edited["arrays"]
            fields["edits"] = list(edited["edits"])
        if "keep" in edited:
            fields["keep"] = list(edited["keep"])
        if edited.get("masks"):
            fields["masks"] = True
        packed, values = self._examine("trace", fields, given)
        try:
            return Trace.unpack(packed, values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._told(self.session.worker.malformed(f"a trace without its parts: {error!r}")) from error

    def outputs(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> Arrays:
        """The model's outputs; with `masks`, dropout drops; else it passes everything on."""
        fields = {"training": training, "masks": masks}
        return self._examine("outputs", fields, {"inputs": numbered(inputs)})[1]

    def dropped(self, inputs: Sequence[np.ndarray], training: bool = True) -> list[dict[str, Any]]:
        """What dropout would drop, in the order of execution: rate, number of draws, of values."""
        return self._found(list, "dropped", {"training": training}, {"inputs": numbered(inputs)})

    def input_kinds(self) -> list[str]:
        """'int' or 'float' for each input, where the model says it."""
        return self._found(list, "input_kinds", {}, {})

    def regularizers(self) -> dict[str, list[float]]:
        """Factors of the L1 and L2 penalties that layers add to the loss, by weight."""
        return self._found(dict, "regularizers", {}, {})

    def constraints(self) -> dict[str, Any]:
        """What Keras's optimizer does to arrays after each step, by name: a constraint's configuration."""
        return dict(self._found(list, "constraints", {}, {}))

    def penalties(self, inputs: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        """What Keras's `fit` adds to the loss, by what adds it."""
        return self._found(list, "penalties", {}, {"inputs": numbered(inputs)})

    def masks(self, inputs: Sequence[np.ndarray]) -> Arrays:
        """The masks that Keras's outputs carry, by the output's name."""
        return self._examine("masks", {}, {"inputs": numbered(inputs)})[1]

    def gradients(
        self,
        inputs: Sequence[np.ndarray],
        cotangents: Named,
        training: bool,
        masks: bool = False,
        uncut: Sequence[int] = (),
    ) -> Arrays:
        """The gradient of every weight, for those of the outputs; without the `cuts` of the numbers in `uncut`."""
        given = {"inputs": numbered(inputs), "cotangents": cotangents}
        more = {"uncut": list(uncut)} if uncut else {}
        return self._examine("gradients", {"training": training, "masks": masks, **more}, given)[1]

    def cuts(self, inputs: Sequence[np.ndarray], training: bool, masks: bool = False) -> list[Sequence[str]]:
        """What stops a gradient in a pass, or computes one by hand, in the order of execution: what, and where."""
        return self._found(list, "cuts", {"training": training, "masks": masks}, {"inputs": numbered(inputs)})

    def statistics(
        self,
        inputs: Sequence[np.ndarray],
        masks: bool = False,
        training: bool = True,
        momenta: Mapping[str, float] | None = None,
    ) -> Arrays:
        """What a pass leaves in the weights that are not trained; `momenta` are PyTorch's, changed."""
        more = {"momenta": dict(momenta)} if momenta else {}
        return self._examine(
            "statistics", {"masks": masks, "training": training, **more}, {"inputs": numbered(inputs)}
        )[1]

    def attempt(self, code: Sequence[str], path: str, inputs: Sequence[np.ndarray], training: bool) -> Arrays:
        """What lines of Keras code make of some values; the layer that they write has the arrays of that at `path`."""
        fields = {"code": list(code), "path": path, "training": training}
        return self._examine("attempt", fields, {"inputs": numbered(inputs)})[1]

    def loss(
        self, given: Named, transform: str = "", changes: Mapping[str, Any] | None = None
    ) -> tuple[float, np.ndarray, str]:
        """The user's loss, its gradient by the outputs, and what the loss is in words.

        Args:
            given: `outputs` and `target` of a batch; `sample_weight` and `class_weight` where they count.
            transform: of the outputs before the loss takes them, by name; where the loss refuses that, NaN.
            changes: of the loss's settings; likewise.
        """
        fields = {"reference": self.loss_reference, "transform": transform, "changes": dict(changes or {})}
        outputs = given["outputs"]
        try:
            answer, found = self.session.ask_for_both(answers.Value, "loss", {"given": given}, **fields)
            return answer.value, self.session.checked(found, {"gradient": outputs.shape})["gradient"], answer.text
        except WorkerFailed as failure:
            if not transform and not changes:
                raise TwinError(f"--loss {self.loss_reference}: {failure.reason}") from failure
            return float("nan"), np.zeros_like(outputs), ""  # what takes logits may refuse anything else

    def updates(
        self, weights: Named, gradients: Named, changes: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], Arrays]:
        """The settings of the user's optimizer, and each of the weights after its updates.

        Args:
            weights: to begin with, by their names in the model.
            gradients: of each of the weights, one for each update along the first axis.
            changes: of its settings.
        """
        named = {f"weights/{name}": array for name, array in weights.items()}
        named |= {f"gradients/{name}": array for name, array in gradients.items()}
        fields: dict[str, Any] = {"reference": self.optimizer_reference, "changes": dict(changes or {})}
        try:
            settings, after = self.session.ask_for_both(dict, "updates", {"given": named}, **fields)
            return settings, self.session.checked(after, dict.fromkeys(weights))
        except WorkerFailed as failure:
            raise TwinError(f"--optimizer {self.optimizer_reference}: {failure.reason}") from failure

    def _found(self, kind: type[T], method: str, fields: Mapping[str, Any], given: Mapping[str, Named]) -> T:
        """The answer of a method that returns no arrays."""
        return self._ask(answers.Found[kind], "examine", given, False, method=method, fields=dict(fields))[0].found  # type: ignore[valid-type]

    def _examine(self, method: str, fields: Mapping[str, Any], given: Mapping[str, Named]) -> tuple[Any, Arrays]:
        return self._ask(dict, "examine", given, True, method=method, fields=dict(fields))

    def _ask(
        self, kind: type, op: str, given: Mapping[str, Named], has_arrays: bool, **fields: Any
    ) -> tuple[Any, Arrays]:
        try:
            if has_arrays:
                return self.session.ask_for_both(kind, op, given, **fields)
            return self.session.ask(kind, op, given, **fields), {}
        except WorkerFailed as failure:
            raise self._told(failure) from failure

    def _told(self, failure: WorkerFailed) -> TwinError:
        side, reason = self.session.engine.side, failure.reason
        if side == "keras" and "incompatible with the layer" in reason:
            reason += "; give the shape of an input as the Keras model takes it, without the batch"
        return TwinError(f"the {FRAMEWORKS[side]} model: {reason}")


def save_weights(session: Session, file: Path) -> None:
    """Write the weights of the model that a worker opened last to a file."""
    session.ask(answers.Nothing, "save_weights", file=str(file.resolve()))


def numbered(inputs: Sequence[np.ndarray]) -> Arrays:
    """Inputs named by their place."""
    return {str(place): array for place, array in enumerate(inputs)}
