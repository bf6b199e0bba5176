"""An exported file in a worker: open it, run it, time it."""

from pathlib import Path

from compare.engines import answers
from compare.engines.process import Worker
from compare.engines.session import Named, Session
from twin.bridge import Arrays


class ExportedFile:
    """An exported file in a process of its own, which holds its runtime and no framework that it does not need.

    Args:
        worker: freshly started; it is ended by `close`.
        timeout: seconds without an answer until it is killed.
    """

    def __init__(self, worker: Worker, timeout: float):
        self.session = Session(worker, timeout)

    def close(self) -> None:
        """End the process."""
        self.session.close()

    def open(self, format: str, file: Path, twin: str) -> answers.Wrote:
        """Load the file of a twin.

        Raises:
            WorkerFailed: when the runtime refuses it.
        """
        return self.session.ask(answers.Wrote, "open_export", format=format, file=str(file.resolve()), twin=twin)

    def stored(self, format: str, file: Path) -> Arrays:
        """The arrays that the file holds, where its format lets one read them; else none."""
        return self.session.ask_for_arrays("stored_arrays", format=format, file=str(file.resolve()))

    def run(self, inputs: Named) -> Arrays:
        """The outputs for a batch in the model's own layout, in the file's order and under its names."""
        order, found = self.session.ask_for_both(answers.Order, "run_export", {"inputs": inputs})
        self.session.checked(found, dict.fromkeys(order.order))
        return {name: found[name] for name in order.order}

    def run_elsewhere(self, format: str, file: Path, inputs: Named) -> Arrays:
        """The outputs that another implementation of the format gives, where there is one; else none."""
        fields = {"format": format, "file": str(file.resolve())}
        order, found = self.session.ask_for_both(answers.Order, "run_elsewhere", {"inputs": inputs}, **fields)
        return {name: found[name] for name in order.order}

    def latency(self, inputs: Named) -> float:
        """Seconds of one run."""
        return self.session.ask(answers.Seconds, "time_export", {"inputs": inputs}).seconds
