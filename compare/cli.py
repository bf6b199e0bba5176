"""The command line. It starts without a framework: those are only ever imported by worker processes."""

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from twin.catalogue import CHAPTERS, TWINS, find
from twin.errors import AGREE, DIFFER, INCOMPLETE, INTERRUPTED, USAGE, TwinError, unknown
from twin.spec import Twin

app = typer.Typer(
    help="The same models in Keras 3 and in PyTorch: do they agree, and do they learn equally well?",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Names = Annotated[list[str] | None, typer.Argument(help="Names of twins; see `twin list`.")]
All = Annotated[bool, typer.Option("--all", help="Every twin.")]
InChapter = Annotated[str | None, typer.Option("--chapter", help="Every twin of a chapter, by number or name.")]
Engines = Annotated[list[str] | None, typer.Option("--engine", help="An engine; repeat for several. Default: all.")]
Pythons = Annotated[list[str] | None, typer.Option("--python", help="ENGINE=PATH: an engine's own interpreter.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the engines compute.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the weights, the batches and the noise.")]
SizeName = Annotated[Literal["small", "paper"], typer.Option("--size", help="Small, or as published.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds that one request to an engine may take.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Engines that compute at the same time. Default: the cores.")]
Weights = Annotated[Path | None, typer.Option("--weights", help="Initial weights of one twin, as --save writes them.")]
Save = Annotated[Path | None, typer.Option("--save", help="Folder for the trained weights.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of each engine while it trains.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write JSON; - for stdout.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the record.")]
Resume = Annotated[Path | None, typer.Option("--resume", metavar="RECORD", help="Continue an interrupted run.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the twin's own number.")]
Init = Annotated[Literal["shared", "own"], typer.Option(help="Initial weights: the same, or each engine's own.")]


@app.command("list")
def list_(as_json: Json = None) -> None:
    """Every twin: what it is, where the slides show it, how large it is."""
    from compare import report

    _answer(report.catalogue_rows(), report.catalogue_table(shutil.get_terminal_size().columns), as_json)


@app.command()
def check(
    names: Names = None,
    everything: All = False,
    chapter: InChapter = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    size: SizeName = "small",
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Take twins up the ladder: structure, weights, forward, gradients, optimizer, trajectory."""
    from compare import check as checking
    from compare import engines

    _check_device(device)
    twins = _choose(names, everything, chapter)
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    cells = checking.plan(twins, chosen, device, seed, size)
    settings = checking.Settings(device, 1, jobs or os.cpu_count() or 1, timeout)
    _measure("check", cells, out, resume, {}, as_json, lambda r, tell: checking.run(r, chosen, settings, tell))


@app.command()
def train(
    names: Names = None,
    everything: All = False,
    chapter: InChapter = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    epochs: Epochs = None,
    init: Init = "shared",
    weights: Weights = None,
    save: Save = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Train twins on every engine, from the same weights and on the same batches."""
    from compare import check as checking
    from compare import engines, training

    _check_device(device)
    twins = _choose(names, everything, chapter)
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    cells = training.plan(twins, chosen, device, seed)
    settings = checking.Settings(device, threads, 1, timeout)
    if weights and len(twins) != 1:
        raise TwinError(f"--weights {weights}: weights belong to one twin; {len(twins)} are named")
    if save:
        _make_folder(save, "--save")
    options = training.Options(epochs, init, weights, save)

    def run(record: Any, tell: Any) -> None:
        training.run(record, chosen, settings, options, tell)

    recorded = {"epochs": epochs, "init": init, "weights": weights and str(weights), "threads": threads}
    _measure("train", cells, out, resume, recorded, as_json, run)


@app.command()
def compare(
    names: Names = None,
    everything: All = False,
    chapter: InChapter = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    epochs: Epochs = None,
    init: Init = "shared",
    threads: Threads = 1,
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Check and train twins, in one record and one report."""
    from compare import check as checking
    from compare import engines, training

    _check_device(device)
    twins = _choose(names, everything, chapter)
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    cells = checking.plan(twins, chosen, device, seed, "small") + training.plan(twins, chosen, device, seed)
    options = {"epochs": epochs, "init": init, "threads": threads}

    def both(record: Any, tell: Any) -> None:
        checking.run(record, chosen, checking.Settings(device, 1, jobs or os.cpu_count() or 1, timeout), tell)
        one_by_one = checking.Settings(device, threads, 1, timeout)
        training.run(record, chosen, one_by_one, training.Options(epochs, init), tell)

    _measure("compare", cells, out, resume, options, as_json, both)


@app.command()
def line(
    data: Annotated[
        str | None,
        typer.Option(metavar="fashion_mnist|digits", help="Default: fashion_mnist where installed, else digits."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two epochs on few pictures: a trial, with no goals.")] = False,
    engine: Annotated[
        list[str] | None, typer.Option("--engine", help="Repeat for several. Default: torch and keras-jax.")
    ] = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    epochs: Epochs = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """LeNet, VGG, ResNet, MBConv, ViT: what each costs, how fast it learns, and how well, on the same pictures."""
    from compare import check as checking
    from compare import engines, training
    from compare import line as progress_line
    from twin.catalogue.line import QUICK_EPOCHS, variants

    _check_device(device)
    installed = engines.choose(engine or [], engines.parse_pythons(python or []))
    chosen = installed if engine else progress_line.choose_engines(installed)
    data = progress_line.choose_data(data)
    twins = variants(data, quick)
    epochs = epochs or (QUICK_EPOCHS if quick else None)
    settings = checking.Settings(device, threads, 1, timeout)
    cells = training.plan(twins, chosen, device, seed, size="line")
    recorded = {"data": data, "epochs": epochs, "quick": quick, "threads": threads}

    def run(record: Any, tell: Any) -> None:
        progress_line.run(record, twins, chosen, settings, epochs, tell)

    _measure("line", cells, out, resume, recorded, as_json, run)


@app.command()
def differences(
    names: Annotated[list[str] | None, typer.Argument(help="Differences to see in full; else a table.")] = None,
    engine: Engines = None,
    python: Pythons = None,
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    md: Annotated[Path | None, typer.Option("--md", metavar="FILE", help="Write the findings as Markdown.")] = None,
) -> None:
    """Where same-looking lines of Keras and PyTorch part: run, with the way to write both so that they agree."""
    from compare import check as checking
    from compare import differences as measuring
    from compare import differences_report as reporting
    from compare import engines
    from twin.differences import ROWS
    from twin.differences import find as find_row

    rows = [find_row(name) for name in dict.fromkeys(names or ROWS)]
    if md:
        _make_folder(md.parent, "--md")
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    settings = checking.Settings("cpu", 1, jobs or os.cpu_count() or 1, timeout)
    found, versions = measuring.measure(rows, chosen, settings)
    pages = "\n\n\n".join(reporting.page(name, found[name]) for name in dict.fromkeys(names or []))
    _answer(reporting.to_json(found), pages or reporting.table(found), as_json)
    if md:
        reporting.write(md, reporting.markdown(found, versions))
    raise typer.Exit(measuring.exit_code(found))


@app.command()
def pictures(
    names: Names = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    timeout: Timeout = 300,
    jobs: Jobs = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("pictures"),
) -> None:
    """Draw what exercises draw, the engines side by side: a PNG per picture."""
    from compare import check as checking
    from compare import engines
    from compare import pictures as drawing

    _check_device(device)
    twins = _choose(names, False, None)
    chosen = engines.choose(engine or [], engines.parse_pythons(python or []))
    _make_folder(out, "--out")
    files = drawing.write(twins, chosen, checking.Settings(device, 1, jobs or os.cpu_count() or 1, timeout), out)
    print(*files, sep="\n")
    print(f"{len(files)} pictures in {out}")


@app.command()
def verify(
    keras: Annotated[str, typer.Argument(metavar="KERAS", help="file.py:callable or package.module:callable.")],
    torch: Annotated[str, typer.Argument(metavar="TORCH", help="The same for PyTorch.")],
    shapes: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="SHAPE", help="As Keras takes it, without batch: 32,32,3. Repeat."),
    ] = None,
    backend: Annotated[Literal["tensorflow", "jax", "torch"], typer.Option(help="What Keras runs on.")] = "jax",
    kinds: Annotated[list[str] | None, typer.Option("--input-dtype", metavar="float|int", help="Per input.")] = None,
    torch_input: Annotated[
        list[str] | None,
        typer.Option("--torch-input", metavar="SHAPE", help="As PyTorch takes it, where that is not clear."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE.npz", help="Real inputs instead of made ones.")
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", metavar="FILE", help="Of one side, or one file for each side.")
    ] = None,
    kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of both callables.")] = "{}",
    keras_kwargs: Annotated[str, typer.Option(metavar="JSON", help="Of Keras's only.")] = "{}",
    torch_kwargs: Annotated[str, typer.Option(metavar="JSON", help="Of PyTorch's only.")] = "{}",
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="KERAS=TORCH", help="Two layers that belong together. Repeat.")
    ] = None,
    loss: Annotated[
        list[str] | None, typer.Option("--loss", help="A stock name, or twice file.py:callable: Keras's, PyTorch's.")
    ] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option("--optimizer", help="A stock name, or twice file.py:callable, likewise.")
    ] = None,
    training: Annotated[
        bool, typer.Option("--train-mode/--no-train-mode", help="Whether to examine training mode.")
    ] = True,
    python: Pythons = None,
    seed: Seed = 0,
    timeout: Timeout = 300,
    as_json: Json = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")] = None,
) -> None:
    """Your own pair of models: where do they first differ, and why?"""
    from compare import check as checking
    from compare import engines, examination, page
    from compare.pairing import Unpaired
    from compare.verdict import Verdict

    if not shapes and not data:
        raise TwinError("which inputs? give --input SHAPE, such as --input 32,32,3, or --data FILE.npz")
    for kind in kinds or []:
        if kind not in ("float", "int"):
            raise unknown("--input-dtype", kind, ["float", "int"])
    both = _json_object("--kwargs", kwargs)
    request = examination.Request(
        keras,
        torch,
        both | _json_object("--keras-kwargs", keras_kwargs),
        both | _json_object("--torch-kwargs", torch_kwargs),
        [_shape("--input", each) for each in shapes or []],
        kinds or [],
        [_shape("--torch-input", each) for each in torch_input or []],
        data,
        weights or [],
        dict(_pair(each) for each in mapping or []),
        training,
        seed,
        loss or [],
        optimizer or [],
    )
    chosen = engines.choose([f"keras-{backend}", "torch"], engines.parse_pythons(python or []))
    engine, native = sorted(chosen, key=lambda each: each.side)
    settings = checking.Settings("cpu", os.cpu_count() or 1, 1, timeout)
    failure: TwinError | None = None
    try:
        with examination.stage() as tell:
            verdict = examination.verify(request, engine, native, settings, tell)
    except TwinError as error:
        failure = error
        verdict = Verdict("unpaired" if isinstance(error, Unpaired) else "error", notes=(str(error),))
    if html:
        page.write(html, request, verdict)
    if failure is not None:
        if as_json:
            _answer(verdict.to_json(), "", as_json)
        raise failure
    _answer(verdict.to_json(), examination.text(verdict), as_json)
    raise typer.Exit(AGREE if verdict.verdict == "agree" else DIFFER)


@app.command()
def weights(
    name: Annotated[str | None, typer.Argument(help="A twin; see `twin list`. Or give --keras and --torch.")] = None,
    source: Annotated[Path, typer.Option("--from", metavar="FILE", help="What to read.")] = Path(),
    target: Annotated[Path, typer.Option("--to", metavar="FILE", help="What to write.")] = Path(),
    layout: Annotated[
        Literal["twin", "applications", "torchvision"], typer.Option(help="Whose names the written file has.")
    ] = "twin",
    size: SizeName = "paper",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    keras: Annotated[str | None, typer.Option(metavar="FILE.py:CALLABLE", help="Your own model, with --torch.")] = None,
    torch: Annotated[str | None, typer.Option(metavar="FILE.py:CALLABLE", help="The same in PyTorch.")] = None,
    shapes: Annotated[
        list[str] | None, typer.Option("--input", metavar="SHAPE", help="Of your own model: 32,32,3. Repeat.")
    ] = None,
    kinds: Annotated[list[str] | None, typer.Option("--input-dtype", metavar="float|int", help="Per input.")] = None,
    kwargs: Annotated[str, typer.Option(metavar="JSON", help="Arguments of both callables.")] = "{}",
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="KERAS=TORCH", help="Two layers that belong together. Repeat.")
    ] = None,
    backend: Annotated[Literal["tensorflow", "jax", "torch"], typer.Option(help="What Keras runs on.")] = "torch",
    python: Pythons = None,
    timeout: Timeout = 300,
    as_json: Json = None,
) -> None:
    """Weights between Keras and PyTorch, a twin's or your own: written, read back, and both files' models compared."""
    from compare import check as checking
    from compare import engines, examination
    from compare import weights as crossing

    if (name is None) == (keras is None) or (keras is None) != (torch is None):
        raise TwinError("whose weights? name a twin, or give both --keras and --torch")
    if source == Path() or target == Path():
        raise TwinError("from where to where? give --from FILE and --to FILE")
    crossing.check_paths(source, target, force)
    chosen = engines.choose([f"keras-{backend}", "torch"], engines.parse_pythons(python or []))
    settings = checking.Settings("cpu", os.cpu_count() or 1, 1, timeout)
    if name is not None:
        found: Any = crossing.of_twin(find(name), size, source, target, layout, chosen, settings)
    else:
        if not shapes:
            raise TwinError("which inputs? give --input SHAPE, such as --input 32,32,3")
        both, inputs = _json_object("--kwargs", kwargs), [_shape("--input", each) for each in shapes]
        pairs = dict(_pair(each) for each in mapping or [])
        request = examination.Request(keras or "", torch or "", both, both, inputs, kinds or [], pairs=pairs)
        found = crossing.of_pair(request, source, target, chosen, settings)
    agrees = isinstance(found, crossing.Crossing) and found.agrees
    _answer(found.to_json(), found.text() if isinstance(found, crossing.Crossing) else examination.text(found), as_json)
    raise typer.Exit(AGREE if agrees else DIFFER)


@app.command()
def doctor(python: Pythons = None, device: Device = "cpu", as_json: Json = None) -> None:
    """What is installed, and which engines come up."""
    from compare import doctor as examining
    from compare import engines

    found = examining.examine(engines.parse_pythons(python or []), device)
    _answer(found, examining.table(found), as_json)
    if not any(engine["works"] for engine in found["engines"].values()):
        raise typer.Exit(INCOMPLETE)


def _measure(
    command: str,
    cells: list[Any],
    out: Path,
    resume: Path | None,
    options: dict[str, Any],
    as_json: str | None,
    run: Any,
) -> None:
    """Carry out a plan, keep its record whatever happens, and report."""
    from compare import report
    from compare.cells import Record
    from compare.progress import showing

    path = resume or out / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.json"
    record = Record(command, cells, None, options)
    if resume:
        kept = record.adopt(resume)
        print(f"{kept} of {len(cells)} cells taken over from {resume}", file=sys.stderr)
    record.path = path
    record.save()
    interrupted = False
    try:
        with showing(record) as tell:
            run(record, tell)
    except KeyboardInterrupt:
        interrupted = True
    _answer(record.to_json(), report.of_record(record), as_json)
    done = sum(cell.status != "not_run" for cell in record.cells)
    if interrupted:
        print(
            f"twin: interrupted; {done} of {len(cells)} cells are in {path}; go on with --resume {path}",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)
    print(f"record: {path}", file=sys.stderr)
    raise typer.Exit(record.exit_code())


def _choose(names: list[str] | None, everything: bool, chapter: str | None) -> list[Twin]:
    """The twins that the arguments name, in the course's order."""
    if sum([bool(names), everything, chapter is not None]) != 1:
        raise TwinError("which twins? name some, or give --all or --chapter; see `twin list`")
    if everything:
        return list(TWINS.values())
    if chapter is not None:
        for each, twins in CHAPTERS.items():
            if chapter in (str(each.number), each.slug):
                return list(twins)
        raise unknown("chapter", chapter, [f"{each.number}" for each in CHAPTERS] + [c.slug for c in CHAPTERS])
    wanted = {find(name).name for name in names or []}
    return [twin for twin in TWINS.values() if twin.name in wanted]


def _json_object(option: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise TwinError(f"{option} {text}: {error}; expected a JSON object, such as '{{\"width\": 64}}'") from error
    if not isinstance(found, dict):
        raise TwinError(f"{option} {text}: expected a JSON object, such as '{{\"width\": 64}}'")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _shape(option: str, text: str) -> tuple[int, ...]:
    parts = text.strip("()[] ").split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts if part.strip()) or not any(parts):
        raise TwinError(f"{option} {text!r}: expected a shape without the batch, such as 32,32,3")
    return tuple(int(part) for part in parts if part.strip())


def _pair(text: str) -> tuple[str, str]:
    keras, equals, torch = text.partition("=")
    if not equals or not keras or not torch:
        raise TwinError(f"--map {text!r}: expected KERAS_LAYER=TORCH_LAYER")
    return keras, torch


def _make_folder(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TwinError(f"{option} {folder}: {error.strerror}; choose a folder that can be written") from error


def _check_device(device: str) -> None:
    if device == "cuda" and not any(Path("/dev").glob("nvidia[0-9]*")):
        raise TwinError("--device cuda: this machine has no NVIDIA device; use --device cpu")


def _answer(content: Any, table: str, as_json: str | None) -> None:
    """The table to stdout, or JSON to stdout or a file."""
    from compare.cells import write_json

    if as_json == "-":
        print(json.dumps(content, indent=1))
        return
    print(table)
    if as_json:
        write_json(Path(as_json), content)


def main() -> None:
    """Run the command line; every user's mistake is one line on stderr."""
    try:
        code = app(standalone_mode=False)
    except TwinError as error:
        print(f"twin: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone; so do we
        code = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # not a complaint about the arguments
            raise
        print(f"twin: {error.format_message()}; see twin --help", file=sys.stderr)
        code = USAGE
    sys.exit(code)


if __name__ == "__main__":
    main()
