"""What several commands do alike: choose twins, carry out a plan, answer."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from compare.cli.streams import say
from twin.errors import INTERRUPTED, TwinError


def measure(
    command: str,
    measurements: list[Any],
    out: Path,
    resume: Path | None,
    options: dict[str, Any],
    as_json: str | None,
    run: Any,
    on: str | None = None,
    explain: bool = False,
) -> None:
    """Carry out a plan, keep its record whatever happens, and report.

    Args:
        command: what is asked; also the beginning of the record's name.
        measurements: the plan.
        out, resume: the record's folder, or the record that is continued.
        options: what the record keeps as settings.
        as_json: where JSON goes, if anywhere.
        run: makes the measurements of a record: `run(record, on_progress)`. With `on` it is sent to other processes, a
            twin at a time, so all that it needs must be picklable.
        on: 'ray' to spread the twins over a Ray cluster.
        explain: whether to say what the columns of the tables mean.

    Raises:
        TwinError: when nothing that is asked for can be measured.
    """
    from compare.engines import guard
    from compare.record.lock import writing
    from compare.record.record import Record, RunRecord
    from compare.record.schema import to_plain
    from compare.report import tables as report
    from twin.files import refuse_clashes

    _refuse_what_cannot_be_run(command, measurements, resume)
    path = resume or out / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.json"
    record = RunRecord(command, measurements, None, options)
    with writing(path, "--resume" if resume else "--out") as lock:
        if lock is not None:
            guard.remove(lock)
        if as_json:
            refuse_clashes({"--json": as_json}, [path])  # now that the record's folder is there
        if resume:
            kept = record.resume_from(resume)
            say(f"{kept} of {len(measurements)} measurements taken over from {resume}")
        record.path = path
        record.save()
        interrupted = _run(record, run, on)
    answer(to_plain(record, Record), report.of_record(record, explain), as_json, [path])
    done = sum(measurement.status != "not_run" for measurement in record.measurements)
    if interrupted:
        say(f"twin: interrupted; {done} of {len(measurements)} measurements are in {path}; go on with --resume {path}")
        say_again(*(() if resume else ("--resume", path)))
        raise typer.Exit(INTERRUPTED)
    if not record.unwritten:
        _say_where(path, explain)
    raise typer.Exit(record.exit_code())


def _say_where(path: Path, explained: bool) -> None:
    """Where the record is, and what to do with it."""
    print(f"record: {path}", file=sys.stderr)
    if not explained:
        print(f"what the columns mean: {typed()} report {shlex.quote(str(path))} --explain", file=sys.stderr)
    say_next("report", path, "--html", "report.html")


def _refuse_what_cannot_be_run(command: str, measurements: list[Any], resume: Path | None) -> None:
    if all(each.status in ("skipped", "not_offered") for each in measurements):
        reasons = list(dict.fromkeys(each.reason for each in measurements))
        more = f"; so with {len(reasons) - 3} more" if len(reasons) > 3 else ""
        raise TwinError(f"there is nothing to {command}: {'; '.join(reasons[:3])}{more}")
    if resume and resume.exists() and not resume.is_file() and not resume.is_dir():
        raise TwinError(f"--resume {resume}: expected a record's file, which is written again while the run goes on")


def _run(record: Any, run: Any, on: str | None) -> bool:
    """Carry out a record's plan; return whether it was interrupted."""
    from compare.cli.progress import showing

    interrupted = False
    try:
        with showing(record) as on_progress:
            if on == "ray":
                from compare.engines import cluster

                cluster.run(record, run, on_progress)
            else:
                run(record, on_progress)
    except KeyboardInterrupt:
        interrupted = True
        record.save()  # the signal may have come while the file was written
    if record.unwritten:
        record.save()  # there may be room again
    if record.unwritten:
        say(f"twin: {record.path} lacks the newest results of the table: {record.unwritten}")
    return interrupted


@contextmanager
def watched(record: Any) -> Iterator[None]:
    """Say what disturbs a timing before it begins, and keep in its record what disturbed it."""
    from compare.bench.load import Watch

    watch = Watch()
    for line in watch.before():
        say(f"note: {line}")
    try:
        yield
    finally:
        record.disturbances += [line for line in watch.after() if line not in record.disturbances]


def typed() -> str:
    """How this program is called here, so that a line which is copied is found again: 'twin', or its path."""
    program, found = Path(sys.argv[0]), shutil.which("twin")
    if program.name == "twin" and not (found and Path(found).resolve() == program.resolve()):
        return shlex.quote(str(program))
    if program.name == "__main__.py" and not found:
        return f"{shlex.quote(sys.executable)} -m compare.cli"
    return "twin"


def say_next(*arguments: object) -> None:
    """What to type now, on stderr, below what was printed: the words of a command of this program."""
    sys.stdout.flush()
    print(f"next: {typed()} {shlex.join(map(str, arguments))}", file=sys.stderr)


def say_again(*arguments: object) -> None:
    """The command that was typed, with more words, as what to type now."""
    say_next(*sys.argv[1:], *arguments)


def answer(
    content: Any,
    table: str,
    as_json: str | None,
    inputs: Sequence[Path] = (),
    md: str | None = None,
    markdown: Callable[[], str] = str,
) -> None:
    """The table to stdout, or JSON or Markdown there instead; either also to a file.

    Args:
        content: what JSON holds.
        table: what a person reads.
        as_json, md: '-' for stdout, or the file.
        inputs: files that must stay as they are.
        markdown: makes the Markdown where it is wanted.

    Raises:
        TwinError: when a file cannot be written.
    """
    from twin.files import json_text, write_json, write_text

    if as_json == "-":
        print(json_text(content), end="")
    elif md == "-":
        print(markdown(), end="")
    else:
        print(table)
    if as_json is not None and as_json != "-":
        write_json(Path(as_json), content, "--json", inputs)
    if md and md != "-":
        write_text(Path(md), markdown(), "--md", inputs)
