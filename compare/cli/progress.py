"""Progress on stderr: a live line where a person watches, nothing where none does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from compare.cli.streams import unfiltered
from compare.record.measurement import Measurement
from compare.record.record import RunRecord


@contextmanager
def showing(record: RunRecord) -> Iterator[Callable[[Measurement, str], None]]:
    """A function to call with a measurement and a word on what happens to it."""
    if not sys.stderr.isatty():
        yield lambda measurement, word: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    todo = sum(measurement.status == "not_run" for measurement in record.measurements)
    columns = TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(file=unfiltered(sys.stderr)), transient=True) as bar:
        task = bar.add_task("starting", total=todo)

        def on_progress(measurement: Measurement, word: str) -> None:
            bar.update(task, description=f"{measurement.twin} on {measurement.engine}: {word}"[:60])
            if measurement.status != "not_run" and word == measurement.status:
                bar.advance(task)

        yield on_progress
