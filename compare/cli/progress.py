"""Progress on stderr: a live line where a person watches, nothing where none does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from compare.record.cell import Cell
from compare.record.record import Record


@contextmanager
def showing(record: Record) -> Iterator[Callable[[Cell, str], None]]:
    """A function to call with a cell and a word on what happens to it."""
    if not sys.stderr.isatty():
        yield lambda cell, word: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    todo = sum(cell.status == "not_run" for cell in record.cells)
    columns = TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=todo)

        def tell(cell: Cell, word: str) -> None:
            bar.update(task, description=f"{cell.twin} on {cell.engine}: {word}"[:60])
            if cell.status != "not_run" and word == cell.status:
                bar.advance(task)

        yield tell
