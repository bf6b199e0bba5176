"""`twin verify` from the command line: two models of the user's own in two workers, and the verdict as text."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice, product
from pathlib import Path

import numpy as np

from compare.engines.engine import Engine
from compare.engines.opened import OpenedModel
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from compare.engines.session import Session
from compare.verify import initial
from compare.verify.before_loss import between
from compare.verify.causes.candidate import only_named
from compare.verify.causes.choices import CAUSES
from compare.verify.examination import Examination
from compare.verify.given import both, by_output, from_file, given_to_loss, stock, target
from compare.verify.inputs import layouts, make_inputs, whole_numbers
from compare.verify.losses import Losses, by_numbers, has_classes_second, penalties_in_words
from compare.verify.optimizers import Optimizers, Trained
from compare.verify.pairing import Pairing
from compare.verify.quotes import quoted, with_lines
from compare.verify.verdict import Finding, Verdict
from compare.verify.whole import names_paired
from twin import arrays
from twin.differences import ROWS
from twin.errors import TwinError

LARGE_MODEL = 1_000_000  # weights, above which two builds are draws enough
STOCK_OPTIMIZERS = ("sgd", "adam", "adamw")
MOST_LAYOUTS = 243  # of five inputs with three each


@dataclass(frozen=True)
class Request:
    """What to verify.

    Args:
        keras, torch: references, `file.py:callable` or `package.module:callable`.
        keras_kwargs, torch_kwargs: their arguments.
        shapes: of the inputs in Keras's layout, without the batch.
        kinds: 'float' or 'int' per input.
        torch_shapes: of the inputs in PyTorch's layout, where they cannot be told.
        data: a .npz file with inputs, instead of made ones.
        weights: files; one for either side crosses to the other, one for each side stay, and are compared.
        pairs: layers that belong together, Keras path -> PyTorch path.
        training: whether to examine training mode.
        seed: of the made inputs.
        loss: nothing, a stock name for both sides, or Keras's and PyTorch's own; for one of several outputs after
            its name, as in `score=cross_entropy`.
        optimizer: the same.
        initial: whether to compare fresh weights by their distribution.
    """

    keras: str
    torch: str
    keras_kwargs: Mapping[str, object] = field(default_factory=dict)
    torch_kwargs: Mapping[str, object] = field(default_factory=dict)
    shapes: Sequence[Sequence[int]] = ()
    kinds: Sequence[str] = ()
    torch_shapes: Sequence[Sequence[int]] = ()
    data: Path | None = None
    weights: Sequence[str] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    training: bool = True
    seed: int = 0
    loss: Sequence[str] = ()
    optimizer: Sequence[str] = ()
    initial: bool = False

    @property
    def files(self) -> list[Path]:
        """What is read, and must stay as it is."""
        named = [each.rpartition(":")[0] for each in (self.keras, self.torch, *self.loss, *self.optimizer)]
        return [*map(Path, [*named, *self.weights]), *([self.data] if self.data else [])]

    def refuse_missing(self) -> None:
        """See that the models' files are there before frameworks are started, which takes longer.

        Raises:
            TwinError: for one that is not.
        """
        for place in (self.keras.rpartition(":")[0], self.torch.rpartition(":")[0]):
            if place.endswith(".py") and not Path(place).is_file():
                raise TwinError(f"no file {place}; expected file.py:callable")
        for file in self.weights:
            if not Path(file).is_file():
                raise TwinError(f"--weights {file}: no such file")


def verify(
    request: Request, engine: Engine, native: Engine, settings: Settings, tell: Callable[[str], None]
) -> Verdict:
    """Examine a pair in two workers.

    Args:
        request: what.
        engine: Keras's, with its backend.
        native: PyTorch's.
        settings: threads and timeout.
        tell: called with a word on what happens.

    Raises:
        TwinError: when a model cannot be made, does not run on the inputs, or layers do not pair up.
    """
    request.refuse_missing()
    pool = Pool(settings)
    out: list[Verdict] = []

    def start(each: Engine) -> Session:
        try:
            return pool.start(each, settings.device)
        except WorkerFailed as failure:
            raise TwinError(f"{each.name} does not start: {failure.reason}; see twin doctor") from failure

    def run() -> None:
        tell("starting")
        with ThreadPoolExecutor(2) as threads:
            keras, torch = threads.map(start, (engine, native))
        out.append(examine(request, keras, torch, tell))

    pool.run([run])
    return out[0]


@np.errstate(all="ignore")  # what is not finite is a finding, and needs no warning beside it
def examine(request: Request, keras_session: Session, torch_session: Session, tell: Callable[[str], None]) -> Verdict:
    """Examine a pair in workers that are there already; raises as `verify` does."""
    inputs = _inputs(request)
    for name, references in by_output(request.loss).items():
        if not stock(references):
            target(request.data, name, references)  # missing targets are said before anything is built
    tell("building the models")
    keras, given = _open(request, keras_session, inputs)
    torch = OpenedModel(torch_session, request.torch, request.torch_kwargs, given)
    mode = _load(request, keras, torch)
    given, native = _runnable(request, keras, torch, given)
    examination = Examination(
        keras, torch, given, native, mode, request.pairs, request.training, tell, not request.weights, not request.data
    )
    verdict = examination.run()
    first = _activated(request, keras, torch, given, native) if verdict.verdict == "differ" else {}
    if first:  # one model ends with what the other leaves to its loss: both are one question
        note = f"only {' and '.join(sorted({word for side in first.values() for word in side.values()}))} at the end"
        notes = (*verdict.notes, f"the outputs differ by {note}; with the losses it is one question")
        rungs = {"weights": 0.0}
        verdict = replace(verdict, verdict="agree", findings=(), rungs=rungs, notes=notes)
    if verdict.verdict == "agree":
        verdict = _with_criteria(request, keras, torch, (given, native), verdict, first)
    if verdict.verdict == "agree" and request.initial:
        tell("drawing initial weights")
        verdict = _with_initial(request, keras_session, torch_session, given, examination.pairing, verdict)
    return quoted(verdict, (request.keras, request.torch))


def _open(request: Request, session: Session, inputs: list[np.ndarray]) -> tuple[OpenedModel, list[np.ndarray]]:
    """The Keras model, and inputs of the kinds that it takes: whole numbers where it says so or looks them up."""
    failure: TwinError | None = None
    options = [inputs]
    if not request.data:
        options.append(whole_numbers(inputs, 2))
    if not request.data and not request.kinds:
        options.append(whole_numbers(inputs, 2, range(len(inputs))))
    for given in options:
        try:
            keras = OpenedModel(session, request.keras, request.keras_kwargs, given)
        except TwinError as error:
            failure = failure or error
            continue
        kinds = keras.input_kinds()
        if not request.data and not request.kinds and len(kinds) == len(given):
            given = whole_numbers(given, 8, [place for place, kind in enumerate(kinds) if kind == "int"])
        return keras, given
    assert failure is not None
    raise failure


def _activated(
    request: Request, keras: OpenedModel, torch: OpenedModel, inputs: list[np.ndarray], native: list[np.ndarray]
) -> dict[str, dict[str, str]]:
    """Where losses are asked for: the function that one model ends with and the other not, by output and by side."""
    if not request.loss:
        return {}
    try:
        mine, theirs = keras.outputs(inputs, training=False), torch.outputs(native, training=False)
    except TwinError:
        return {}
    found = {name: between(mine[name], theirs[other]) for name, other in names_paired(mine, theirs)}
    known = {name: first for name, first in found.items() if first is not None}
    return known if len(known) == len(mine) and any(known.values()) else {}


def _with_criteria(
    request: Request,
    keras: OpenedModel,
    torch: OpenedModel,
    inputs: tuple[list[np.ndarray], list[np.ndarray]],
    verdict: Verdict,
    first: Mapping[str, Mapping[str, str]],
) -> Verdict:
    """The rungs of the losses and the optimizer, where they are asked for."""
    rungs, notes, findings = dict(verdict.rungs), list(verdict.notes), []
    unexplained = []
    if request.loss:
        outputs = keras.outputs(inputs[0], training=False)
        native = torch.outputs(inputs[1], training=False)
        pairs = dict(names_paired(outputs, native))
        for name, other in pairs.items():
            if "keras" in first.get(name, {}):
                outputs[name] = native[other].reshape(outputs[name].shape)
        masks = keras.masks(inputs[0])
        for name, references in by_output(request.loss).items():
            keras.loss_reference, torch.loss_reference = references
            given = given_to_loss(request.data, name, outputs, references, masks)
            chosen = name or next(iter(outputs))
            second = chosen in pairs and has_classes_second(outputs[chosen], native[pairs[chosen]])
            losses = Losses(keras, torch, given, first.get(chosen, {}), second)
            finding, rungs["loss"] = losses.compare(name)
            findings += [finding] if finding else []
            if finding and by_numbers(finding) and {*given} == {"outputs", "target"}:
                unexplained.append((len(findings) - 1, losses, references))
        notes += penalties_in_words(keras.penalties(inputs[0]))
        for place, losses, references in unexplained:  # last: the losses are opened in place of the models
            findings[place] = _explained(findings[place], losses, keras, torch, references)
    if request.optimizer and not findings:
        keras.optimizer_reference, torch.optimizer_reference = both("--optimizer", request.optimizer, STOCK_OPTIMIZERS)
        finding, rungs["optimizer"] = Optimizers(keras, torch, _trained(keras, torch, verdict)).compare()
        findings += [finding] if finding else []
    word = "differ" if findings else verdict.verdict
    broken = {finding.rung for finding in findings}
    rungs = {rung: far for rung, far in rungs.items() if rung not in broken}
    return replace(verdict, verdict=word, findings=tuple(findings), rungs=rungs, notes=tuple(notes))


def _explained(
    finding: Finding, losses: Losses, keras: OpenedModel, torch: OpenedModel, references: tuple[str, str]
) -> Finding:
    """A difference of two losses with the calls in which they differ, followed as those of a model."""
    keras.loss_reference, torch.loss_reference = references
    inputs = [losses.given["outputs"], losses.given["target"]]
    try:
        mine, theirs = keras.as_loss(inputs), torch.as_loss(inputs)
        terms = losses.terms(mine, theirs, references)
        rows = finding.cause == "loss_reduction" and not finding.fix  # which both sides' code may say more of
        found = losses.followed(mine, theirs) if finding.cause is None or rows else []
    except TwinError:
        return finding
    proved = any(each.cause and each.after is not None for each in found)
    if finding.cause and terms is not None and not terms.sure and not proved:
        return replace(finding, says=f"{finding.says}. {terms.says}")
    found = [each if each.fix else with_lines(each, [ref.rpartition(":")[0] for ref in references]) for each in found]
    first = next((each for each in found if each.cause), None)
    tried = first is not None and first.after is not None and bool(first.fix or first.cause != "operand_order")
    says = f"{first.keras} / {first.torch}: {first.says}" if first is not None else ""
    chosen = first is not None and tried and bool(first.fix) and first.cause in {*ROWS, *CAUSES}  # one call, run so
    if terms is not None and not chosen and (terms.sure or not tried):
        after, fix = (first.after, first.fix) if first is not None and tried else (None, {})
        says = f"{terms.says}. {says}" if fix else terms.says
        return replace(finding, cause=f"loss_{terms.cause}", after=after, says=says, fix=fix, tried=())
    if first is None:
        return finding
    says += f". {terms.says}" if terms is not None and (chosen or only_named(first.cause)) else ""
    cause = first.cause if first.cause in ROWS else f"loss_{first.cause}"
    return replace(finding, cause=cause, after=first.after, says=says, fix=first.fix, tried=())


def _with_initial(
    request: Request, keras: Session, torch: Session, inputs: list[np.ndarray], pairing: Pairing, verdict: Verdict
) -> Verdict:
    """Both models built anew, several times, and their weights compared by distribution."""
    size = sum(link.keras.size for link in pairing.links)
    count = initial.BUILDS if size < LARGE_MODEL else 2
    builds = [
        [OpenedModel(session, model, kwargs, inputs).dump() for _ in range(count)]
        for session, model, kwargs in (
            (keras, request.keras, request.keras_kwargs), (torch, request.torch, request.torch_kwargs)
        )
    ]  # fmt: skip
    found = initial.compare(pairing, *builds)
    if found:
        return replace(verdict, verdict="differ", findings=tuple(found))
    return replace(verdict, rungs={**verdict.rungs, "initial": 0.0})


def _trained(keras: OpenedModel, torch: OpenedModel, verdict: Verdict) -> list[Trained]:
    """A few trainable arrays of both models, which an optimizer may tell apart, and what penalties act on them."""
    factors, constraints = keras.regularizers(), keras.constraints()
    shapes = {
        leaf.full(name): tuple(min(side, 12) for side in leaf.shapes[name])
        for leaf in keras.leaves()
        for name in leaf.trainable
    }
    native = {leaf.full(name) for leaf in torch.leaves() for name in leaf.trainable}
    pairs = [pair for pair in verdict.arrays if pair[0] in shapes and pair[1] in native]
    partners = dict(pairs)
    kinds: dict[tuple[str, int], int] = {}
    out: list[Trained] = []
    for name, shape in shapes.items():
        kind = name.rpartition(".")[2], len(shape)
        partner = partners.get(name, name)
        if (pairs and name not in partners) or partner in {each.torch for each in out}:
            continue  # of a query, a key and a value in one PyTorch array, the first stands for all
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 4:  # a few of each kind are enough
            factor = factors.get(name, [0.0, 0.0])
            out.append(Trained(name, partner, shape, (factor[0], factor[1]), constraints.get(name)))
    return out or [Trained("kernel", "weight", (200,))]


def _inputs(request: Request) -> list[np.ndarray]:
    return from_file(request.data) if request.data else make_inputs(request.shapes, request.kinds, request.seed)


def _load(request: Request, keras: OpenedModel, torch: OpenedModel) -> str:
    """Read the files of weights; say which way weights cross."""
    sides = {}
    for file in request.weights:
        if not Path(file).is_file():
            raise TwinError(f"--weights {file}: no such file")
        side = _side_of(file, keras.dump(), torch.dump())
        if side in sides:
            raise TwinError(f"--weights {file}: a second file for {side}; give at most one for each side")
        sides[side] = file
        (keras if side == "keras" else torch).read(file)
    return "own" if len(sides) == 2 else "back" if "torch" in sides else "cross"


def _side_of(file: str, keras: Mapping[str, object], torch: Mapping[str, object]) -> str:
    """Whose weights a file holds: told by its ending, or by the names in it.

    Raises:
        TwinError: when the ending is none that is known.
    """
    path = Path(file)
    if path.suffix in (".keras", ".h5"):
        return "keras"
    if path.suffix in (".pt", ".pth", ".bin"):
        return "torch"
    if path.suffix == ".safetensors":
        names = set(arrays.read(path))
        return "keras" if len(names & set(keras)) > len(names & set(torch)) else "torch"
    raise TwinError(f"--weights {file}: expected .keras, .weights.h5, .safetensors, or .pt with a state dict")


def _runnable(
    request: Request, keras: OpenedModel, torch: OpenedModel, inputs: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs with which both models run, and PyTorch's in the first layout in which it does.

    Whole numbers are made below the smallest table that is looked up, and smaller where that is too much: several
    columns may share a table.
    """
    leaves = (*keras.leaves(), *torch.leaves())
    sizes = [s[0] for leaf in leaves if leaf.kind.startswith("Embedding") for s in leaf.shapes.values()]
    options = [inputs]
    if not request.data and any(array.dtype.kind == "i" for array in inputs):
        bounds = [*([min(sizes)] if sizes else []), 8, 4, 2]
        options = [whole_numbers(inputs, bound) for bound in dict.fromkeys(bounds) if bound > 1]
    if not request.data and not request.kinds and all(array.dtype.kind == "f" for array in inputs):
        options.append(whole_numbers(inputs, 8, range(len(inputs))))
    for given in options:
        try:
            keras.outputs(given, training=False)
        except TwinError:
            continue
        native = _native(request, torch, given)
        if not torch.trace(native, keep=()).stopped:
            return given, native
    return options[0], _native(request, torch, options[0])  # the examination says why it stops


def _native(request: Request, torch: OpenedModel, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inputs in the first layout in which the PyTorch model runs."""
    shapes: list[Sequence[int] | None] = list(request.torch_shapes) or [None] * len(inputs)
    if len(shapes) != len(inputs):
        raise TwinError(f"--torch-input is given {len(shapes)} times for {len(inputs)} inputs")
    options = [layouts(array, shape) for array, shape in zip(inputs, shapes, strict=True)]
    # All inputs in their likeliest layouts first, then all in the next ones, then mixed: a graph beside a picture.
    numbers = islice(product(*(range(len(each)) for each in options)), MOST_LAYOUTS)
    for chosen in sorted(numbers, key=lambda each: (max(each, default=0) - min(each, default=0), sum(each))):
        native = [each[number] for each, number in zip(options, chosen, strict=True)]
        if not torch.trace(native, keep=()).stopped:
            return native
    return [each[0] for each in options]
