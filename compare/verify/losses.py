"""Two losses on the same outputs: their values and gradients, and what would make them the same.

A trial carries a cause out: it gives one side's loss other outputs or another setting, and measures again.
"""

# Long: one list of trials, each of which asks the same two losses once more.

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from compare.verify import axes as alignment
from compare.verify.before_loss import FUNCTIONS, are_probabilities
from compare.verify.comparison import Comparison
from compare.verify.replay import Replay
from compare.verify.subject import Subject
from compare.verify.terms import Explanation, classes_second, explain
from compare.verify.verdict import GRADIENT_LIMIT, LIMIT, Finding, Remedy
from twin.errors import TwinError

ROUNDING = 1e-6
SIDES = ("PyTorch", "Keras")
FEWEST = 3  # outputs whose gradients differ by one number, which then is none by chance
MOST_ROWS = 64  # whose losses are asked one by one


class Loss(NamedTuple):
    """A loss, its gradient by the outputs, and how it is written."""

    value: float
    gradient: np.ndarray
    text: str


class Side(Protocol):
    """What computes one side's losses: compare.engines.opened.OpenedModel."""

    def loss(
        self, given: Mapping[str, np.ndarray], transform: str = "", changes: Mapping[str, Any] | None = None
    ) -> tuple[float, np.ndarray, str]: ...


@dataclass(frozen=True)
class Trial:
    """A possible cause, carried out.

    Args:
        cause: its name.
        says: in words.
        after: how far both are apart with it.
        fix: what was carried out, by the side on which it was.
    """

    cause: str
    says: str
    after: float
    fix: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Losses:
    """Both losses on one output of the model.

    Args:
        keras, torch: the sides.
        given: `outputs`, their `target`, and `sample_weight` and `class_weight` where the user gives them.
        first: by side, what its outputs pass before its loss, being part of its model.
        second: whether PyTorch's model has classes in its second axis, so that its loss gets outputs and targets so.
    """

    keras: Side
    torch: Side
    given: Mapping[str, np.ndarray]
    first: Mapping[str, str] = field(default_factory=dict)
    second: bool = False

    def compare(self, name: str) -> tuple[Finding | None, float]:
        """A finding where both differ, and how far they are apart; `name` is the output's, where there are several."""
        wanted, got = self.of_keras(), self.of_torch()
        far = _apart(got, wanted)
        if far <= GRADIENT_LIMIT:
            turned = self._turned()
            if turned is None:
                return None, far
            return turned.compare(name)
        seen = [(wanted, got)]  # from both ends of a softmax, where there is one
        if are_probabilities(self.given["outputs"]) and not self.first:
            seen.append((_through_softmax(wanted, self.given["outputs"]), _through_softmax(got, self.given["outputs"])))
            if (left := _apart(seen[1][1], seen[1][0])) <= GRADIENT_LIMIT:
                return None, left
        what = f"On equal outputs Keras's loss is {wanted.value:.6g}, PyTorch's {got.value:.6g}"
        place = f"loss of {name}" if name else "loss"
        finding = Finding("loss", place, place, what, None, far)
        tried: list[str] = []
        kinds = (
            _of_targets, _of_outputs, _of_arguments, _of_rows, _of_axes, _of_smoothing, _of_scale, _of_labels,
            _of_logit_signs, _of_weights, _of_batch,
        )  # fmt: skip
        for trials, (mine, theirs) in itertools.product(kinds, seen):
            for trial in _as_far(trials(self, mine, theirs)):
                if trial.after <= GRADIENT_LIMIT:
                    fix = {side: Remedy(text, trial.after) for side, text in trial.fix.items()}
                    return replace(finding, cause=trial.cause, after=trial.after, says=trial.says, fix=fix), far
                tried.append(trial.cause)
        says = f"Keras computes {wanted.text}; PyTorch {got.text}"
        return replace(finding, says=says, tried=tuple(dict.fromkeys(tried))), far

    def _turned(self) -> "Losses | None":
        """The same with rows in which both differ, where the outputs of one row meet the targets of another."""
        outputs = self.given["outputs"]
        for rows in range(1, min(len(outputs), 3)):
            turned = self.with_array("outputs", np.roll(outputs, rows, axis=0))
            values = turned.of_keras().value, turned.of_torch().value
            # Less may be rounding: other rows' outputs may lie where a loss is ill-conditioned.
            if np.isfinite(values).all() and abs(values[0] - values[1]) > max(1e-2 * np.abs(values).max(), 1e-4):
                return turned
        return None

    def followed(self, keras: Subject, torch: Subject) -> list[Finding]:
        """Both losses call by call, as models of outputs and targets: what differs, and why.

        Args:
            keras, torch: the losses as models.
        """
        outputs, target = self.given["outputs"], self.given["target"]
        functions = [FUNCTIONS.get(self.first.get(side, ""), lambda x: x) for side in ("keras", "torch")]
        ours, inputs = ([function(outputs).astype(np.float32), target] for function in functions)
        mine = keras.trace(ours)
        orders = [inputs, classes_second(inputs)]
        for given in reversed(orders) if self.second else orders:
            theirs = torch.trace(given)
            if not theirs.stopped:
                replay = Replay(torch, given, False, mine, theirs, [], [])
                return Comparison(replay, "loss", keras, {}).findings()[0] if not mine.stopped else []
        return []

    def terms(self, keras: Subject, torch: Subject, files: tuple[str, str]) -> Explanation | None:
        """Both losses as sums of terms: which one differs.

        Args:
            keras, torch: the losses as models.
            files: the references of both.
        """
        outputs, target = self.given["outputs"], self.given["target"]
        ours, inputs = (
            FUNCTIONS.get(self.first.get(side, ""), lambda x: x)(outputs).astype(np.float32)
            for side in ("keras", "torch")
        )
        sources = files[0].rpartition(":")[0], files[1].rpartition(":")[0]
        return explain(keras, torch, (ours, inputs), target, sources, self.second)

    def of_keras(self, transform: str = "", changes: Mapping[str, Any] | None = None) -> Loss:
        """Keras's loss, of outputs that pass a function first, and with some arguments changed."""
        return Loss(*self.keras.loss(self.given, self._chain("keras", transform), changes))

    def of_torch(self, transform: str = "", changes: Mapping[str, Any] | None = None) -> Loss:
        """PyTorch's loss, with some settings changed."""
        changes = {**(changes or {}), **({"second": True} if self.second else {})}
        return Loss(*self.torch.loss(self.given, self._chain("torch", transform), changes))

    def _chain(self, side: str, transform: str) -> str:
        return ",".join(each for each in (self.first.get(side, ""), transform) if each)

    def of_row(self, row: int) -> "Losses":
        """The same of one row."""
        given = {n: a if n == "class_weight" else a[row : row + 1] for n, a in self.given.items()}
        return replace(self, given=given)

    def with_array(self, name: str, array: np.ndarray) -> "Losses":
        """The same with another array."""
        return replace(self, given={**self.given, name: array})


def has_classes_second(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether PyTorch's output has classes in its second axis, where Keras's has them last."""
    moved = classes_second([mine])[0]
    if mine.ndim < 3 or moved.shape != theirs.shape:
        return False
    return mine.shape != theirs.shape or float(np.abs(theirs - moved).sum()) < float(np.abs(theirs - mine).sum())


def by_numbers(finding: Finding) -> bool:
    """Whether a difference of two losses has no cause, or one that figures alone show, and not the code."""
    figures = ("loss_scale", "loss_constant", "loss_reduction", "loss_sign", "class_weights", "sample_weights")
    cause = finding.cause
    return cause is None or (not finding.fix and cause.endswith(("_weights", "_labels"))) or cause in figures


def penalties_in_words(penalties: Sequence[tuple[str, float]]) -> list[str]:
    """A note on what Keras adds to the loss: penalties on weights, and what layers add by `add_loss`."""
    if not penalties:
        return []
    told = ", ".join(f"{value:.6g} ({name})" for name, value in penalties)
    return [f"Keras adds to the loss what layers and regularizers give: {told}; PyTorch's loop must add the same"]


def _of_targets(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Targets of another shape than the outputs, which one side broadcasts; weights that one side leaves out."""
    outputs, target = losses.given["outputs"], losses.given["target"]
    if target.size == outputs.size and target.shape != outputs.shape:
        shaped = losses.with_array("target", target.reshape(outputs.shape))
        says = (
            f"The outputs have shape {outputs.shape} and the targets {target.shape}: one side broadcasts them to each "
            "other, and compares every row with every target"
        )
        rest = ", ".join(map(str, (-1, *outputs.shape[1:])))
        fix = {"torch": f"loss(outputs, y.reshape({rest}))"}
        yield Trial("broadcast_targets", says, _apart(shaped.of_torch(), wanted), fix)
        fix = {"keras": f"y = keras.ops.reshape(y, ({rest}))"}
        yield Trial("broadcast_targets", says, _apart(shaped.of_keras(), got), fix)
    if "mask" in losses.given:
        says = "Keras leaves the masked steps of its output out of the loss, PyTorch counts them"
        plain = losses.with_array("mask", np.ones_like(losses.given["mask"]))
        yield Trial("ignored_labels", says, _apart(plain.of_keras(), got))
    for word, cause in (("sample_weight", "sample_weights"), ("class_weight", "class_weights")):
        if word in losses.given:
            plain = losses.with_array(word, np.ones_like(losses.given[word]))
            says = f"Keras multiplies each row's loss by {word}, PyTorch does not"
            yield Trial(cause, says, _apart(plain.of_keras(), got))
            says = f"PyTorch multiplies each row's loss by {word}, Keras does not"
            yield Trial(cause, says, _apart(plain.of_torch(), wanted))


TRANSFORMS = {
    "softmax": ("probabilities", "torch.softmax(outputs, -1)"),
    "log_softmax": ("logarithms of probabilities", "torch.log_softmax(outputs, -1)"),
    "sigmoid": ("probabilities", "torch.sigmoid(outputs)"),
    "log": ("logarithms", "torch.log(outputs)"),
    "exp": ("exponentials", "torch.exp(outputs)"),
}


def _of_outputs(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Logits on one side and probabilities on the other."""
    for transform, (words, line) in TRANSFORMS.items():
        poisson = "poisson" in f"{wanted.text} {got.text}".lower()
        cause = "poisson_log_input" if poisson else "cross_entropy_logits"
        says = "{}'s loss takes the outputs for {}, the other does not: after {} both agree"
        fix = {"torch": f"loss({line}, y)"}
        other = losses.of_torch(transform)
        if other.gradient.any():  # else it says only that both are constant there
            yield Trial(cause, says.format("PyTorch", words, transform), _apart(other, wanted), fix)
        fix = {"keras": f"loss(y, keras.ops.{transform}(outputs))"}
        other = losses.of_keras(transform)
        if other.gradient.any():
            yield Trial(cause, says.format("Keras", words, transform), _apart(other, got), fix)


ARGUMENTS = {  # Keras's argument, its default, PyTorch's names for it, the cause
    "label_smoothing": (0.0, ("label_smoothing",), "label_smoothing"),
    "delta": (1.0, ("delta", "beta"), "huber_delta"),
    "ignore_class": (-100, ("ignore_index",), "ignored_labels"),
}


FLIPS = {"apply_class_balancing": (True, False), "from_logits": (True, False), "label_smoothing": (0.0, 0.1)}


def _of_arguments(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """An argument of PyTorch's loss that is not what Keras's has."""
    own = dict(re.findall(r"(\w+)=(-?[\d.]+(?:e-?\d+)?)", wanted.text))
    says = f"Keras computes {wanted.text}, PyTorch {got.text}"
    for word, (default, natives, cause) in ARGUMENTS.items():
        value = type(default)(float(own.get(word, default)))
        for native in natives:
            if f"{native}=" in got.text or word in own:
                after = _apart(losses.of_torch(changes={native: value}), wanted)
                yield Trial(cause, says, after, {"torch": f"{native}={value:g} in {got.text}"})
    for word, values in FLIPS.items() if wanted.text.startswith("keras.losses.") else ():
        for option in values:
            after = _apart(losses.of_keras(changes={word: option}), got)
            yield Trial(f"loss_{word}", says, after, {"keras": f"{word}={option!r} in {wanted.text}"})
    stock = got.text.startswith("torch.nn.")
    for word in ("full", "log_input", "log_target") if stock else ():
        for option in (True, False):
            after = _apart(losses.of_torch(changes={word: option}), wanted)
            cause = {"log_input": "poisson_log_input"}.get(word, f"loss_{word}")
            yield Trial(cause, says, after, {"torch": f"{word}={option} in {got.text}"})
    for reduction in ("mean", "sum", "batchmean") if stock else ():
        if reduction != "batchmean" or "KLDiv" in got.text:
            after = _apart(losses.of_torch(changes={"reduction": reduction}), wanted)
            yield Trial("loss_reduction", says, after, {"torch": f"reduction={reduction!r} in {got.text}"})


def _of_rows(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """PyTorch divides each row's CTC loss by the number of its labels, Keras does not."""
    if "ctc" in got.text.lower():
        says = "PyTorch's reduction='mean' divides each row's loss by the number of its labels, Keras averages the rows"
        after = _apart(losses.of_torch(changes={"rows": True}), wanted)
        yield Trial(
            "ctc_reduction", says, after, {"torch": "torch.nn.functional.ctc_loss(..., reduction='none').mean()"}
        )


def _of_axes(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Outputs that PyTorch's loss reshapes where their axes should change places: classes and positions are mixed."""
    outputs = losses.given["outputs"]
    if outputs.ndim < 3 or outputs.shape[-1] == 1 or outputs[0, ..., 0].size == 1:
        return
    second = np.moveaxis(outputs, -1, 1).shape
    # Outputs that its reshape brings into the right order; the gradient goes the same way back.
    if losses.second:
        turned, axes = np.moveaxis(outputs.reshape(second), 1, -1), (0, *range(2, outputs.ndim), 1)
    else:
        turned, axes = (
            np.moveaxis(outputs, -1, 1).reshape(outputs.shape),
            (0, outputs.ndim - 1, *range(1, outputs.ndim - 1)),
        )
    loss = losses.with_array("outputs", np.ascontiguousarray(turned)).of_torch()
    if loss.gradient.shape != outputs.shape:
        return
    back = (
        np.moveaxis(loss.gradient, -1, 1).reshape(outputs.shape)
        if losses.second
        else np.moveaxis(loss.gradient.reshape(second), 1, -1)
    )
    line = re.search(r"[\w.]+\.(?:reshape|view|flatten)\([^()]*\)|\b(?:torch\.)?reshape\([^()]*\)", got.text)
    code = f" (`{line.group(0)}`)" if line else ""
    says = (
        f"PyTorch reshapes the outputs{code} where their axes should change places: classes and positions are mixed. "
    )
    says += f"With permute{axes} in place of that both agree"
    yield Trial("loss_reshape_for_permute", says, _apart(loss._replace(gradient=back), wanted))


def _of_smoothing(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Label smoothing that one side spreads over the other classes alone, or leaves out."""
    outputs, target = losses.given["outputs"], losses.given["target"]
    count = outputs.shape[-1]
    rows = target.shape == outputs.shape and target.dtype.kind == "f" and np.allclose(target.sum(-1), 1, atol=1e-3)
    if count < 3 or not rows:
        return
    told = re.findall(r"(?<![\w.])0?\.\d+", f"{wanted.text} {got.text}")
    for share in sorted({0.1, 0.2, *(float(each) for each in told)}):
        if not 0 < share < 0.5:
            continue
        others = share / (count - 1)
        slope = 1 - share - others
        moves = {
            f"gives a smoothing of {share:g} to the {count - 1} other classes alone ({share:g} / {count - 1} each), "
            f"{{}} spreads it over all {count} ({share:g} / {count} each)": (
                (1 - share) / slope, (share / count - others) / slope
            ),
            f"has no label smoothing, {{}} has one of {share:g}": (1 - share, share / count),
        }  # fmt: skip
        for (words, (factor, more)), (side, other) in itertools.product(moves.items(), (SIDES, SIDES[::-1])):
            moved = losses.with_array("target", (factor * target + more).astype(target.dtype))
            loss, goal = (moved.of_torch(), wanted) if side == "PyTorch" else (moved.of_keras(), got)
            yield Trial("label_smoothing", f"{side} {words.format(other)}", _apart(loss, goal))


def _of_scale(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """One loss is a multiple of the other, or differs by a constant."""
    factor = wanted.value / got.value if got.value else 0.0
    if abs(factor - 1) < 1e-6 and np.linalg.norm(got.gradient) > 0:
        factor = float(np.linalg.norm(wanted.gradient) / np.linalg.norm(got.gradient))
    after = _apart(Loss(got.value * factor, got.gradient * factor, ""), wanted)
    outputs, target = losses.given["outputs"], losses.given["target"]
    fix = {"torch": f"{factor:.6g} * loss"}
    if "smooth" in got.text.lower() and "uber" in wanted.text:
        says = f"PyTorch's SmoothL1Loss is Huber's loss divided by beta, here by {factor:.6g}"
        yield Trial("smooth_l1_beta", says, after, {"torch": "torch.nn.HuberLoss(delta=...) in place of SmoothL1Loss"})
    counts = {
        "rows": len(outputs), "values": outputs.size, "values per row": outputs.size // len(outputs),
        "targets": target.size,
    }  # fmt: skip
    for word, count in counts.items():
        if count > 1 and np.isclose(factor, count, rtol=1e-4):  # worth a trial, which decides
            yield Trial("loss_reduction", f"PyTorch averages over the {word}, Keras adds up", after, fix)
        if count > 1 and np.isclose(factor, 1 / count, rtol=1e-4):
            yield Trial("loss_reduction", f"Keras averages over the {word}, PyTorch adds up", after, fix)
    text = f"{wanted.text} {got.text}".lower()
    if "weight=" in got.text:
        says = "PyTorch divides the weighted sum by the sum of the weights, Keras by the number of rows"
        yield Trial("class_weights", says, after, fix)
    if "ignore" in text or "not_equal" in text or "mask" in text:
        says = "One side averages over all targets, the other only over those that count"
        yield Trial("ignored_labels", says, after, fix)
    if weights := _dividing(losses, factor):
        yield Trial("class_weights", weights, after, fix)
    if after > GRADIENT_LIMIT or _holds(losses, factor):
        yield Trial("loss_scale", f"Keras's loss is {factor:.6g} times PyTorch's", after, fix)
    shift = wanted.value - got.value
    after = _apart(Loss(got.value + shift, got.gradient, ""), wanted)
    cause = "cosine_loss_sign" if "cosine" in text else "loss_constant"
    says = f"Keras's loss is PyTorch's {shift:+.6g}, with the same gradient"
    yield Trial(cause, says, after, {"torch": f"loss {shift:+.6g}"})
    after = _apart(Loss(wanted.value, -got.gradient, ""), wanted)
    yield Trial("loss_sign", "The gradients have opposite signs: one side descends where the other climbs", after)


def _holds(losses: Losses, factor: float) -> bool:
    """Whether a factor between both losses is the same for other outputs: a count of those that count is not."""
    outputs = losses.given["outputs"]
    other = losses.with_array("outputs", np.roll(outputs, 1, axis=0))
    wanted, got = other.of_keras(), other.of_torch()
    return _apart(Loss(got.value * factor, got.gradient * factor, ""), wanted) <= GRADIENT_LIMIT


def _dividing(losses: Losses, factor: float) -> str:
    """In words, that one side divides a weighted sum of rows by the weights, where the factor says so; else ""."""
    length = len(losses.given["outputs"])
    if not 1 < length <= MOST_ROWS:
        return ""
    counted = []
    for row in range(length):
        alone = losses.of_row(row)
        try:
            mine, theirs = alone.of_keras().value, alone.of_torch().value
        except TwinError:  # a loss may take no single row
            return ""
        counted.append(mine / theirs if np.isfinite((mine, theirs)).all() and theirs else 0.0)
    for sides, rows, whole in ((SIDES[::-1], counted, factor), (SIDES, [1 / each if each else 0.0 for each in counted],
                               1 / factor if factor else 0.0)):  # fmt: skip
        if np.ptp(rows) > 1e-2 and min(rows) >= 0 and np.isclose(np.mean(rows), whole, rtol=1e-3):
            told = ", ".join(f"{each:.4g}" for each in sorted({float(f"{row:.3g}") for row in rows})[:5])
            return (
                f"{sides[0]}'s loss is {whole:.6g} times {sides[1]}'s, the mean of its rows' weights ({told}): "
                f"{sides[1]} divides the weighted sum by the sum of the weights, {sides[0]} by the number of rows"
            )
    return ""


def _as_far(trials: Iterator[Trial]) -> Iterator[Trial]:
    """Trials up to the first that a user's loss refuses: it may take no other targets, or no single row."""
    try:
        yield from trials
    except TwinError:
        return


LABELS: Mapping[str, tuple[tuple[float, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "2 * y - 1": ((0, 1), lambda y: 2 * y - 1),
    "(y + 1) / 2": ((-1, 1), lambda y: (y + 1) / 2),
    "1 - y": ((0, 1), lambda y: 1 - y),
}


def _of_labels(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Labels that one side writes with other numbers; targets and outputs in each other's place."""
    outputs, target = losses.given["outputs"], losses.given["target"]
    for line, (numbers, function) in LABELS.items():
        if not set(np.unique(target)) <= set(numbers):
            continue
        changed = losses.with_array("target", function(target).astype(target.dtype))
        for side, other, loss, goal in (
            ("PyTorch", "Keras", changed.of_torch, wanted), ("Keras", "PyTorch", changed.of_keras, got)
        ):  # fmt: skip
            says = f"{side}'s loss takes labels for others than {other}'s does: with {line} in place of y both agree"
            fix = {"torch": f"loss(outputs, {line})"} if side == "PyTorch" else {"keras": f"loss({line}, outputs)"}
            yield Trial("loss_labels", says, _apart(loss(), goal), fix)
    if target.dtype.kind == "f" and target.shape == outputs.shape:
        turned = losses.with_array("target", outputs).with_array("outputs", target)
        says = "PyTorch's loss takes outputs and targets in each other's place"
        after = abs(turned.of_torch().value - wanted.value) / max(abs(wanted.value), 1e-30)
        yield Trial("loss_operand_order", says, after if wanted.value != got.value else 1.0)


def _of_logit_signs(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """The logarithm of sigmoid(x) where the other side has that of sigmoid(-x), for some outputs.

    The two differ by x itself: the gradients by one number at those outputs, and by nothing at all others.
    """
    outputs = losses.given["outputs"]
    if outputs.shape != wanted.gradient.shape or outputs.shape != got.gradient.shape:
        return
    apart = wanted.gradient.astype(np.float64) - got.gradient
    size = float(np.abs(apart).max(initial=0.0))
    at = np.abs(apart) > 1e-3 * size
    step = float(np.median(apart[at])) if size > 0 else 0.0
    # Gradients of float32 that nearly cancel leave three digits; what decides is the loss.
    if not step or at.sum() < FEWEST or not np.allclose(apart[at], step, rtol=1e-3):
        return
    value = got.value + step * float(outputs[at].sum())
    gradient = got.gradient + np.where(at, step, 0.0)
    side, other = SIDES if step > 0 else SIDES[::-1]
    says = (
        f"At {at.sum()} of {at.size} outputs {side} takes logsigmoid(x) where {other} takes logsigmoid(-x), as for the "
        f"other label"
    )
    yield Trial("loss_logit_sign", says, _apart(Loss(value, gradient, ""), wanted))


def _of_weights(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Gradients that are multiples of each other, by another factor for each class, column, step or row."""
    target, gradient, other = losses.given["target"], wanted.gradient, got.gradient
    if gradient.shape != other.shape or gradient.ndim < 2:
        return
    classes = target
    if target.shape == gradient.shape and gradient.shape[-1] > 1 and np.allclose(target.sum(-1), 1):
        classes = target.argmax(-1)
    rows = np.arange(len(gradient)).reshape(-1, *[1] * (gradient.ndim - 1))
    groups: dict[str, tuple[str, np.ndarray]] = {}  # cause -> what a factor depends on, in words and for each value
    if classes.shape in (gradient.shape, gradient.shape[:-1]):
        columns = classes if classes.ndim == gradient.ndim else classes[..., None]
        groups["class_weights"] = "the target is {}", np.broadcast_to(columns, gradient.shape)
    for axis in range(gradient.ndim - 1, 0, -1):
        place = np.arange(gradient.shape[axis]).reshape(*[-1 if each == axis else 1 for each in range(gradient.ndim)])
        word = "output" if axis == gradient.ndim - 1 else "step"
        groups.setdefault(f"loss_{word}_weights", (f"the {word} is {{}}", np.broadcast_to(place, gradient.shape)))
    groups["sample_weights"] = "the row is {}", np.broadcast_to(rows, gradient.shape)
    for cause, (words, labels) in groups.items():
        names = np.unique(labels)
        counts = [np.count_nonzero(other[labels == name]) for name in names]
        # A factor for each number of its own fits anything, such as another target for each row.
        if not 1 < len(names) <= min(100, gradient.size // 2) or np.median(counts) < 2:
            continue
        if cause == "class_weights" and (names != np.round(names)).any():
            continue  # values, and no classes
        factors = {}
        for name in names:
            one, two = (each[labels == name].astype(np.float64) for each in (other, gradient))
            factors[name] = float(one @ two / (one @ one)) if one.any() else 0.0
        scaled = other * np.vectorize(factors.__getitem__, otypes=[float])(labels)
        told = ", ".join(f"{factors[name]:.4g} where {words.format(f'{name:g}')}" for name in names[:4])
        says = f"Keras's gradient is a multiple of PyTorch's: {told}"
        after = alignment.relative(scaled, gradient)
        left_out = [name for name in names if abs(factors[name]) < 1e-6]
        if cause == "class_weights" and left_out and all(np.isclose(factors[n], 1) for n in names if n not in left_out):
            cause = "ignored_labels"
            says += f": Keras leaves out the rows whose target is {', '.join(f'{n:g}' for n in left_out)}, "
            says += "PyTorch counts something of them"
        if cause == "sample_weights" and after <= GRADIENT_LIMIT and not _weighted(losses):
            continue
        if len(names) > 1 and np.allclose(list(factors.values()), next(iter(factors.values())), rtol=1e-4):
            continue  # one factor for all is no weight of theirs; factors are fitted to gradients in float32
        yield Trial(cause, says, after)


def _weighted(losses: Losses) -> bool:
    """Whether the losses of single rows are multiples of each other by the factors of their gradients.

    A function of one number has gradients in one direction, whatever is computed of it.
    """
    for row in range(min(len(losses.given["outputs"]), 3)):
        alone = losses.of_row(row)
        wanted, got = alone.of_keras(), alone.of_torch()
        lengths = [float(np.linalg.norm(each.gradient)) for each in (wanted, got)]
        # Both values may be differences of large terms, of which float32 leaves three digits.
        if not np.isclose(wanted.value * lengths[1], got.value * lengths[0], rtol=1e-3):
            return False
    return True


ALONE = 6  # rows that are tried one by one


def _of_batch(losses: Losses, wanted: Loss, got: Loss) -> Iterator[Trial]:
    """Rows that agree one by one, where the batch does not: what is reduced over the batch is another thing."""
    length = len(losses.given["outputs"])
    if not length > 1 or any(len(array) != length for name, array in losses.given.items() if name != "class_weight"):
        return
    apart, slopes = [], []
    for row in range(min(length, ALONE)):
        alone = losses.of_row(row)
        mine, theirs = alone.of_keras(), alone.of_torch()
        apart.append(_apart(theirs, mine))
        slopes.append(float(np.linalg.norm(mine.gradient) + np.linalg.norm(theirs.gradient)))
    # A row that is compared with others has no loss, or another one, where it is alone.
    if max(slopes) <= 1e-6 * float(np.linalg.norm(wanted.gradient)):
        return
    says = "On each row by itself both losses agree: one takes rows one by one, the other sums over the batch first"
    yield Trial("loss_reduction", says, max(apart))


def _through_softmax(loss: Loss, outputs: np.ndarray) -> Loss:
    """The same with the gradient that arrives before the softmax: a part along the row, which it drops, does not count.

    Keras divides probabilities by their sum before it takes their logarithm; a loss by hand need not.
    """
    if loss.gradient.shape != outputs.shape:
        return loss
    along = np.sum(outputs * loss.gradient, axis=-1, keepdims=True)
    return loss._replace(gradient=outputs * (loss.gradient - along))


def _apart(got: Loss, wanted: Loss) -> float:
    if not np.isfinite(got.value) or not np.isfinite(wanted.value):
        return float("inf")
    far = abs(got.value - wanted.value)
    value = far / max(abs(wanted.value), 1e-30)
    # Terms near one that cancel leave this much of rounding, whatever is left of them.
    return max(value if value > LIMIT and far > ROUNDING else 0.0, alignment.relative(got.gradient, wanted.gradient))
