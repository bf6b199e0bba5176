"""Progress on stderr: a live line where a person watches, elsewhere a line now and then; nothing is silent for long."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compare.cli.streams import say, unfiltered

if TYPE_CHECKING:  # records take pydantic, and every command imports this
    from compare.record.measurement import Measure, Measurement
    from compare.record.record import RunRecord

FIRST, THEN = 8.0, 30.0  # seconds until the first line, and between lines, where nobody watches
# In the order in which they run.
PHASES: "dict[Measure, str]" = {"check": "checking", "bench": "timing", "train": "training", "export": "exporting"}


@dataclass
class Run:
    """How far a run is, in words.

    Args:
        todo: measurements that are planned, by what they measure.
    """

    todo: "Counter[Measure]"
    done: "Counter[Measure]" = field(default_factory=Counter)
    began: "dict[Measure, float]" = field(default_factory=dict)  # when each phase was first heard of
    phase: "Measure | None" = None
    place: str = "starting"
    left: str = ""  # where the measurement itself says how long it goes on

    def told(self, measurement: "Measurement", word: str) -> None:
        """Something happened to a measurement; its own status says that it is over."""
        self.phase = measurement.measure
        self.began.setdefault(self.phase, time.monotonic())
        doing, about, left = word.partition(", about ")
        self.place = f"{measurement.twin} on {measurement.engine}: {doing}"
        self.left = about + left
        if measurement.status != "not_run" and word == measurement.status:
            self.done[self.phase] += 1

    def text(self) -> str:
        """Phase, time left and place: what a narrow terminal cuts off stands last."""
        if not self.phase:
            return self.place
        done, todo = self.done[self.phase], self.todo[self.phase]
        where = f"{PHASES[self.phase]}, {min(done + 1, todo)} of {todo}"
        phases = [phase for phase in PHASES if self.todo[phase]]
        if len(phases) > 1:
            where = f"part {phases.index(self.phase) + 1} of {len(phases)}, {where}"
        left = self.left
        if done and done < todo and not left:
            left = f", about {length((time.monotonic() - self.began[self.phase]) / done * (todo - done))} left"
        return f"{where}{left}: {self.place}"


@contextmanager
def showing(record: "RunRecord") -> "Iterator[Callable[[Measurement, str], None]]":
    """A function to call with a measurement and a word on what happens to it."""
    run = Run(Counter(each.measure for each in record.measurements if each.status == "not_run"))
    with live(run.text):
        yield run.told


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """A function to call with what is done now; it need not be called.

    Args:
        what: is done at first.
    """
    words = [what]
    with live(lambda: words[0]):
        yield lambda word: words.__setitem__(0, word)


@contextmanager
def live(text: Callable[[], str], first: float = FIRST, then: float = THEN) -> Iterator[None]:
    """Show what `text` says, and for how long this goes on, until the block ends.

    Args:
        text: is asked again and again.
        first, then: seconds until the first line, and between lines, where stderr is no terminal.
    """
    began = time.monotonic()

    def line(width: int | None = None) -> str:
        told, after = text(), f" ({length(time.monotonic() - began)} so far)"
        if width and len(told) + len(after) > width:
            told = f"{told[: max(0, width - len(after) - 1)]}…"
        return f"{told}{after}"

    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        def rendered() -> Text:
            return Text(line(console.width), no_wrap=True, overflow="ellipsis")

        console = Console(file=unfiltered(sys.stderr))
        with Live(get_renderable=rendered, console=console, transient=True, refresh_per_second=2):
            yield
        return
    over = threading.Event()

    def now_and_then() -> None:
        wait = first
        while not over.wait(wait):
            say(line())
            wait = then

    thread = threading.Thread(target=now_and_then, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def length(seconds: float) -> str:
    """A length of time: '40 s', '3 min', '2 h 10 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
