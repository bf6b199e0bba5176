"""What several commands do alike: choose twins, carry out a plan, answer."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import typer

from twin.errors import INTERRUPTED


def measure(
    command: str,
    cells: list[Any],
    out: Path,
    resume: Path | None,
    options: dict[str, Any],
    as_json: str | None,
    run: Any,
    on: str | None = None,
) -> None:
    """Carry out a plan, keep its record whatever happens, and report.

    Args:
        command: what is asked; also the beginning of the record's name.
        cells: the plan.
        out, resume: the record's folder, or the record that is continued.
        options: what the record keeps as settings.
        as_json: where JSON goes, if anywhere.
        run: measures the cells of a record: `run(record, tell)`. With `on` it is sent to other processes, a twin at a
            time, so all that it needs must be picklable.
        on: 'ray' to spread the twins over a Ray cluster.
    """
    from compare.cli.progress import showing
    from compare.record.record import Record
    from compare.report import tables as report

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
            if on == "ray":
                from compare.engines import cluster

                cluster.run(record, run, tell)
            else:
                run(record, tell)
    except KeyboardInterrupt:
        interrupted = True
    if record.unwritten:
        record.save()  # there may be room again
    if record.unwritten:
        print(f"twin: {path} lacks the newest results of the table: {record.unwritten}", file=sys.stderr)
    answer(record.to_json(), report.of_record(record.to_json()), as_json)
    done = sum(cell.status != "not_run" for cell in record.cells)
    if interrupted:
        print(
            f"twin: interrupted; {done} of {len(cells)} cells are in {path}; go on with --resume {path}",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)
    print(f"record: {path}", file=sys.stderr)
    raise typer.Exit(record.exit_code())


def answer(content: Any, table: str, as_json: str | None) -> None:
    """The table to stdout, or JSON to stdout or a file."""
    from compare.record.files import write_json

    if as_json == "-":
        print(json.dumps(content, indent=1))
        return
    print(table)
    if as_json:
        write_json(Path(as_json), content, "--json")
