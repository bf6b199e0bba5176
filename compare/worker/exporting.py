"""Exports: the built twin written to a file of another format, and, in a process of its own, such a file run."""

import importlib.metadata
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.export import formats
from compare.export.model import Model
from compare.worker.context import Context
from twin import arrays, seam

LOOPS = 9  # timed, after as many that are not


@dataclass
class Exporting:
    """Operations on exported files; what runs one has no built twin."""

    context: Context
    run: Any = None  # the loaded file
    outputs: Any = None

    def write_export(self, format: str, file: str, inputs: str, rows: int | None) -> dict[str, Any]:
        """Write the built twin to a file of that format, for batches of so many rows, or of any number."""
        context = self.context
        backend = context.engine.partition(":")[0].removeprefix("keras-") if context.side == "keras" else ""
        model = Model(context.side, backend, context.run.model, arrays.read(inputs), rows)
        chosen = formats.find(format)
        start = time.perf_counter()
        chosen.write(model, Path(file))
        return {"seconds": time.perf_counter() - start, "tools": versions(chosen.needs(model.engine))}

    def latency(self, batch: str) -> dict[str, Any]:
        """Seconds of the built twin for a batch, in inference, as its framework's user runs it."""
        timing: seam.Timing[Any] = self.context.side_module("timing")
        run = self.context.run
        given = run.twin.inputs_of(arrays.read(batch))
        if self.context.side == "keras":
            self.context.train.prepare(run, 1)  # a loss to compile with, which `predict` wants
        call = timing.inference(run, given)
        timing.ready(run, training=False)

        def once() -> None:
            timing.wait_for(call())

        return {"seconds": median_seconds(once)}

    def open_export(self, format: str, file: str, twin: str) -> dict[str, Any]:
        """Load an exported file; the runtime is imported before the clock starts."""
        chosen = formats.find(format)
        for package in chosen.RUNTIME:
            importlib.import_module(package)
        start = time.perf_counter()
        self.run = chosen.load(Path(file), twin)
        return {"seconds": time.perf_counter() - start, "tools": versions(chosen.RUNTIME)}

    def run_export(self, inputs: str, out: str) -> dict[str, Any]:
        """The outputs of the loaded file, by the names that it gives them, in its order."""
        return self._written(self.run(arrays.read(inputs)), out)

    def _written(self, outputs: Any, out: str) -> dict[str, Any]:
        named = outputs if isinstance(outputs, dict) else {str(place): a for place, a in enumerate(outputs)}
        arrays.write(out, {name: np.array(array) for name, array in named.items()})
        return {"order": list(named)}

    def stored_arrays(self, format: str, file: str, out: str) -> dict[str, Any]:
        """The arrays that a file holds; none where its format has no way to read them."""
        stored: Callable[[Path], list[np.ndarray]] = getattr(formats.find(format), "stored", lambda file: [])
        found = stored(Path(file))
        arrays.write(out, {str(place): np.ascontiguousarray(array) for place, array in enumerate(found)})
        return {}

    def run_elsewhere(self, format: str, file: str, inputs: str, out: str) -> dict[str, Any]:
        """The outputs that another implementation of the format gives; none where there is no other."""
        elsewhere = getattr(formats.find(format), "elsewhere", None)
        outputs = elsewhere(Path(file))(arrays.read(inputs)) if elsewhere else {}
        return self._written(outputs, out)

    def time_export(self, inputs: str) -> dict[str, Any]:
        """Seconds of one run of the loaded file."""
        given = arrays.read(inputs)
        return {"seconds": median_seconds(lambda: self.run(given))}


def median_seconds(call: Any) -> float:
    """Of one call, after some that warm up."""
    for _ in range(LOOPS):
        call()
    seconds = []
    for _ in range(LOOPS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package, under the name that is imported."""
    owners = importlib.metadata.packages_distributions()
    return {name: importlib.metadata.version(owners[name][0]) for name in packages if name in owners}
