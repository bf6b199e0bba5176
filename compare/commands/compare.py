"""`twin compare`."""

import os
from pathlib import Path
from typing import Any

from compare.commands.common import measure, select
from compare.commands.common import seeds as chosen_seeds
from compare.commands.options import (
    All,
    Device,
    Engines,
    Epochs,
    FirstSeed,
    InChapter,
    Init,
    Jobs,
    Json,
    Log,
    Names,
    Out,
    Pythons,
    Resume,
    Seeds,
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
    seed: FirstSeed = None,
    seeds: Seeds = "1",
    epochs: Epochs = None,
    init: Init = "shared",
    log: Log = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Check and train twins, in one record and one report."""
    from compare import check as checking
    from compare import logs, training

    twins, chosen = select(names, everything, chapter, engine, python, device)
    planned = chosen_seeds(seed, seeds)
    cells = checking.plan(twins, chosen, device, planned[0], "small") + training.plan(twins, chosen, device, planned)
    if log:
        logs.require(log)
    options = {"epochs": epochs, "init": init, "threads": threads}

    def both(record: Any, tell: Any) -> None:
        checking.run(record, chosen, checking.Settings(device, 1, jobs or os.cpu_count() or 1, timeout), tell)
        one_by_one = checking.Settings(device, threads, 1, timeout)
        to = logs.Log(log, out / log / record.path.stem) if log else None
        training.run(record, chosen, one_by_one, training.Options(epochs, init, log=to), tell)

    measure("compare", cells, out, resume, options, as_json, both)
