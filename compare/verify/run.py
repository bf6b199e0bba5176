"""`twin verify` from the command line: two models of the user's own in two workers, and the verdict as text."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from compare.engines.engine import Engine
from compare.engines.pool import Pool, Settings
from compare.engines.process import Worker, WorkerFailed
from compare.verify import criteria
from compare.verify.examination import Examination
from compare.verify.remote import Remote, layouts, make_inputs
from compare.verify.verdict import Verdict
from compare.worker import user_code
from twin.bridge import Leaf
from twin.errors import TwinError

STOCK_LOSSES = ("cross_entropy", "binary_cross_entropy", "mean_squared_error")
STOCK_OPTIMIZERS = ("sgd", "adam", "adamw")


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
        loss: nothing, a stock name for both sides, or Keras's and PyTorch's own.
        optimizer: the same.
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
    pool = Pool(settings)
    out: list[Verdict] = []

    def start(each: Engine) -> Worker:
        try:
            return pool.start(each, settings.device)
        except WorkerFailed as failure:
            raise TwinError(f"{each.name} does not start: {failure.reason}; see twin doctor") from failure

    def run() -> None:
        tell("starting")
        with ThreadPoolExecutor(2) as threads:
            keras, torch = threads.map(start, (engine, native))
        out.append(examine(request, keras, torch, settings.timeout, tell))

    pool.run([run])
    return out[0]


def examine(
    request: Request, keras_worker: Worker, torch_worker: Worker, timeout: float, tell: Callable[[str], None]
) -> Verdict:
    """Examine a pair in workers that are there already; raises as `verify` does."""
    inputs = _inputs(request)
    tell("building the models")
    with tempfile.TemporaryDirectory(prefix="twin-") as folder:
        place = Path(folder)
        keras = Remote(keras_worker, timeout, request.keras, request.keras_kwargs, inputs, place / "keras")
        given = inputs if request.data else [_within_vocabulary(array, keras.leaves()) for array in inputs]
        torch = Remote(torch_worker, timeout, request.torch, request.torch_kwargs, given, place / "torch")
        mode = _load(request, keras, torch)
        native = _native(request, torch, given)
        verdict = Examination(
            keras, torch, given, native, mode, request.pairs, request.training, tell, not request.weights
        ).run()
        return _with_criteria(request, keras, torch, given, verdict) if verdict.verdict == "agree" else verdict


def _with_criteria(
    request: Request, keras: Remote, torch: Remote, inputs: Sequence[np.ndarray], verdict: Verdict
) -> Verdict:
    """The rungs of the loss and of the optimizer, where they are asked for."""
    rungs = dict(verdict.rungs)
    if request.loss:
        keras.loss_reference, torch.loss_reference = _both("--loss", request.loss, STOCK_LOSSES)
        trace = keras.trace(inputs)
        outputs = trace.values[next(iter(trace.outputs.values()))]
        finding, rungs["loss"] = criteria.compare_losses(keras, torch, outputs, _target(request, outputs))
        if finding:
            return replace(verdict, verdict="differ", findings=(finding,))
    if request.optimizer:
        keras.optimizer_reference, torch.optimizer_reference = _both("--optimizer", request.optimizer, STOCK_OPTIMIZERS)
        finding, rungs["optimizer"] = criteria.compare_optimizers(keras, torch)
        if finding:
            return replace(verdict, verdict="differ", findings=(finding,))
    return replace(verdict, rungs=rungs)


def _both(option: str, given: Sequence[str], stock: Sequence[str]) -> tuple[str, str]:
    """Keras's and PyTorch's: a stock name for both, or two references."""
    if len(given) == 1 and given[0] in stock:
        return given[0], given[0]
    if len(given) == 2 and all(":" in each or each in stock for each in given):
        return given[0], given[1]
    raise TwinError(
        f"{option} {' '.join(given)}: expected one of {', '.join(stock)}, or {option} twice: Keras's file.py:callable, "
        "then PyTorch's"
    )


def _target(request: Request, outputs: np.ndarray) -> np.ndarray:
    """The targets: `y` of the data, or made ones that suit a stock loss."""
    if request.data:
        with np.load(request.data, allow_pickle=False) as file:
            if "y" in file.files:
                target = file["y"][: len(outputs)]
                return target.astype(np.int32 if target.dtype.kind in "iu" else np.float32)
    stock = next((each for each in request.loss if each in STOCK_LOSSES), "")
    if not stock:
        raise TwinError(f"--loss {request.loss[0]}: which targets? give --data FILE.npz with the inputs and an array y")
    return criteria.make_target(outputs, stock)


def _inputs(request: Request) -> list[np.ndarray]:
    if not request.data:
        return make_inputs(request.shapes, request.kinds, request.seed)
    try:
        with np.load(request.data, allow_pickle=False) as file:
            names = [name for name in file.files if name != "y"]
            found = [file[name] for name in names]
    except (OSError, ValueError) as error:
        raise TwinError(f"--data {request.data}: {error}; expected a .npz file of plain arrays") from error
    if not found:
        raise TwinError(f"--data {request.data}: no arrays; expected one per input, such as x")
    kinds = {"f": np.float32, "i": np.int32, "u": np.int32, "b": np.float32}
    for name, array in zip(names, found, strict=True):
        if array.dtype.kind not in kinds:
            raise TwinError(f"--data {request.data}: {name} is of type {array.dtype}; expected numbers")
    return [array[:16].astype(kinds[array.dtype.kind]) for array in found]


def _within_vocabulary(array: np.ndarray, leaves: Sequence[Leaf]) -> np.ndarray:
    sizes = [leaf.shapes["embeddings"][0] for leaf in leaves if leaf.kind == "Embedding"]
    if array.dtype.kind != "i" or not sizes:
        return array
    return np.random.default_rng(0).integers(0, min(sizes), array.shape).astype(np.int32)


def _load(request: Request, keras: Remote, torch: Remote) -> str:
    """Read the files of weights; say which way weights cross."""
    sides = {}
    for file in request.weights:
        if not Path(file).is_file():
            raise TwinError(f"--weights {file}: no such file")
        side = user_code.side_of(file, keras.dump(), torch.dump())
        if side in sides:
            raise TwinError(f"--weights {file}: a second file for {side}; give at most one for each side")
        sides[side] = file
        (keras if side == "keras" else torch).read(file)
    return "own" if len(sides) == 2 else "back" if "torch" in sides else "cross"


def _native(request: Request, torch: Remote, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inputs in the first layout in which the PyTorch model runs."""
    shapes: list[Sequence[int] | None] = list(request.torch_shapes) or [None] * len(inputs)
    if len(shapes) != len(inputs):
        raise TwinError(f"--torch-input is given {len(shapes)} times for {len(inputs)} inputs")
    options = [layouts(array, shape) for array, shape in zip(inputs, shapes, strict=True)]
    for number in range(max(map(len, options))):
        chosen = [each[min(number, len(each) - 1)] for each in options]
        if not torch.trace(chosen, keep=()).stopped:
            return chosen
    return [each[0] for each in options]  # the examination says why it stops


@contextlib.contextmanager
def stage() -> Iterator[Callable[[str], None]]:
    """Says on a terminal's stderr what is going on."""
    import sys

    if not sys.stderr.isatty():
        yield lambda word: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda word: status.update(word)


def text(verdict: Verdict) -> str:
    """The verdict for a terminal."""
    from tabulate import tabulate

    other = [[keras, torch] for keras, torch in verdict.pairs.items() if keras != torch]
    parts = [
        f"{len(verdict.pairs)} pairs of layers; {len(verdict.pairs) - len(other)} have the same name on both sides."
    ]
    if other:
        parts.append(tabulate(other, ["Keras", "PyTorch"], tablefmt="simple", disable_numparse=True))
    if not verdict.pairs:
        parts = []
    if verdict.rungs:
        held = [f"{rung} ({far:.1e})" if far else rung for rung, far in verdict.rungs.items()]
        parts.append(f"agree: {', '.join(held)}")
    if verdict.verdict == "agree":
        parts.append("The two models agree on every rung.")
    for number, finding in enumerate(verdict.findings):
        line = finding.line()
        parts.append(line if number == 0 else line.replace("first difference", "also differs"))
        if finding.samples:
            parts.append(
                "\n".join(
                    f"  {name}: {', '.join(f'{v:.5g}' for v in values)} ..." for name, values in finding.samples.items()
                )
            )
    return "\n\n".join([*parts, *verdict.notes])
