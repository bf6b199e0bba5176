"""`twin verify`."""

import contextlib
import os
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compare.cli import options
from compare.cli.arguments import json_object, keras_engine, pairs, shape
from compare.cli.carry_out import answer, say_again, say_next
from compare.cli.commands import PORT
from compare.cli.progress import working
from twin import untrusted
from twin.errors import AGREE, DIFFER, INCOMPLETE, TwinError, unknown

if TYPE_CHECKING:
    from compare.verify.verdict import Verdict

GROUP = PORT
EXAMPLES = (
    "twin verify mine.py:make theirs.py:Net --input 32,32,3",
    "twin verify mine.py:make theirs.py:Net --data inputs.npz",
)


# Long: an option has one line of the signature, and a field of the request.
def verify(
    keras: Annotated[str, typer.Argument(metavar="KERAS", help="file.py:callable or package.module:callable.")],
    torch: Annotated[str, typer.Argument(metavar="TORCH", help="The same for PyTorch.")],
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SHAPE",
            help="Shape of an input as Keras takes it, without batch: 32,32,3; repeat for several. Or give --data.",
        ),
    ] = None,
    backend: options.KerasEngine = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--input-dtype", metavar="float|int", help="Of each --input, in their order.")
    ] = None,
    torch_input: Annotated[
        list[str] | None,
        typer.Option("--torch-input", metavar="SHAPE", help="The same as PyTorch takes it, where that is not clear."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE.npz", help="Real inputs instead of made ones.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", metavar="FILE", help="Trained weights of one side; twice for a file of each side."),
    ] = None,
    kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of both callables.")] = "{}",
    keras_kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of Keras's alone.")] = "{}",
    torch_kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of PyTorch's alone.")] = "{}",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="KERAS=TORCH", help="Two layers that belong together; repeat for several."),
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LOSS",
            help="A stock name; or, given twice, file.py:callable of Keras and of PyTorch. Of one output: NAME=LOSS.",
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIMIZER", help="A stock name; or, given twice, file.py:callable of Keras and of PyTorch."
        ),
    ] = None,
    initial: Annotated[
        bool, typer.Option("--initial", help="Compare fresh weights too, by their distribution.")
    ] = False,
    training: Annotated[
        bool, typer.Option("--train-mode/--no-train-mode", help="Whether to examine training mode.")
    ] = True,
    python: options.Pythons = None,
    seed: options.Seed = 0,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")] = None,
) -> None:
    """Say where a Keras model and a PyTorch model of your own first differ, and why."""
    from compare.engines import engine as engines
    from compare.engines.pool import Settings
    from compare.verify import page
    from compare.verify import run as examination
    from compare.verify import text as words
    from twin.differences import ROWS as DIFFERENCES

    if not shapes and not data:
        raise TwinError("which inputs? give --input SHAPE, such as --input 32,32,3, or --data FILE.npz")
    if shapes and data:
        raise TwinError(f"--input and --data {data}: one of them says what the models get; leave the other out")
    for kind in kinds or []:
        if kind not in ("float", "int"):
            raise unknown("--input-dtype", kind, ["float", "int"])
    both = json_object("--kwargs", kwargs)
    request = examination.Request(
        keras,
        torch,
        both | json_object("--keras-kwargs", keras_kwargs),
        both | json_object("--torch-kwargs", torch_kwargs),
        [shape("--input", each) for each in shapes or []],
        kinds or [],
        [shape("--torch-input", each) for each in torch_input or []],
        data,
        weights or [],
        pairs(mapping or []),
        training,
        seed,
        loss or [],
        optimizer or [],
        initial,
    )
    chosen = engines.choose([keras_engine(backend or _backend(keras)), "torch"], engines.parse_pythons(python or []))
    engine, native = sorted(chosen, key=lambda each: each.side)
    settings = Settings("cpu", os.cpu_count() or 1, 1, timeout)
    verdict, failure = _examined(lambda tell: examination.verify(request, engine, native, settings, tell))
    if failure is None or as_json:
        answer(verdict.to_json(), words.text(verdict) if failure is None else "", as_json, request.files)
    if html:  # once the verdict is told: a page that cannot be written takes nothing away
        page.write(html, request, verdict)
    if failure is not None:
        raise failure
    first = verdict.findings[0].cause if verdict.findings else None
    if first in DIFFERENCES:
        say_next("differences", first)
    elif verdict.verdict == "agree" and not initial:
        say_again("--initial")
    elif not html:
        say_again("--html", "verify.html")
    else:
        say_next("differences")
    raise typer.Exit(AGREE if verdict.verdict == "agree" else DIFFER)


def _examined(examine: Callable[[Callable[[str], None]], "Verdict"]) -> tuple["Verdict", TwinError | None]:
    """The verdict, and what ended the examination before there was one."""
    from compare.verify.pairing import Unpaired
    from compare.verify.verdict import Verdict

    try:
        with working("starting the engines") as tell:
            return examine(tell), None
    except TwinError as error:
        return Verdict("unpaired" if isinstance(error, Unpaired) else "error", notes=(str(error),)), error
    except Exception as error:  # ours, not the user's: one line with the place, and an exit code of its own
        failure = TwinError(_own_failure(error), INCOMPLETE)
        return Verdict("error", notes=(str(failure),)), failure


def _backend(reference: str) -> str:
    """What Keras runs on: as KERAS_BACKEND or keras.json says, else what the model's file imports, else PyTorch."""
    told = os.environ.get("KERAS_BACKEND", "")
    config = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    if not told and config.is_file():
        with contextlib.suppress(TwinError, ValueError):  # Keras itself says what is wrong with it
            said = untrusted.json_of(untrusted.text(config, "Keras's settings"))
            told = str(said.get("backend", "")) if isinstance(said, dict) else ""
    if told in ("tensorflow", "jax", "torch"):
        return told
    file, text = Path(reference.rpartition(":")[0]), ""
    with contextlib.suppress(TwinError):  # the worker says what is wrong with it
        text = untrusted.python(file)[0] if file.is_file() else ""
    found = re.search(r"^\s*(?:import|from)\s+(tensorflow|jax|torch)\b", text, re.MULTILINE)
    return found.group(1) if found else "torch"


def _own_failure(error: Exception) -> str:
    """One line on an error of our own, with the place to look."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    told = " ".join(str(error).split())[:200]
    return f"twin verify failed by its own fault, {type(error).__name__} at {place}: {told}; nothing was found out"
