"""`twin compare`."""

from pathlib import Path
from typing import Any

from compare.commands.common import measure, select, side_by_side
from compare.commands.options import (
    All,
    Device,
    Engines,
    Epochs,
    InChapter,
    Init,
    Jobs,
    Json,
    Names,
    On,
    Out,
    Pythons,
    Resume,
    Seed,
    Threads,
    Timeout,
)


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
    on: On = None,
) -> None:
    """Check and train twins, in one record and one report."""
    from compare import check as checking
    from compare import training

    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    jobs = side_by_side(jobs, on)
    cells = checking.plan(twins, chosen, device, seed, "small") + training.plan(twins, chosen, device, seed)
    options = {"epochs": epochs, "init": init, "threads": threads}

    def both(record: Any, tell: Any) -> None:
        checking.run(record, chosen, checking.Settings(device, 1, jobs, timeout), tell)
        one_by_one = checking.Settings(device, threads, 1, timeout)
        training.run(record, chosen, one_by_one, training.Options(epochs, init), tell)

    measure("compare", cells, out, resume, options, as_json, both, on)
