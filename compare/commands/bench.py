"""`twin bench`."""

import os
from pathlib import Path
from typing import Any

from compare.commands.common import measure, seconds, select, share
from compare.commands.options import (
    All,
    Budget,
    Device,
    Engines,
    InChapter,
    Json,
    Names,
    Out,
    Precision,
    Pythons,
    Quick,
    Reference,
    Resume,
    Seed,
    SizeName,
    Threads,
    Timeout,
)


def bench(
    names: Names = None,
    everything: All = False,
    chapter: InChapter = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    size: SizeName = "small",
    reference: Reference = "torch",
    quick: Quick = False,
    precision: Precision = "2%",
    budget: Budget = "10m",
    threads: Threads = 1,
    timeout: Timeout = 300,
    as_json: Json = None,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Time twins over rounds of fresh processes; only those that agree, with ratios, intervals and verdicts."""
    from compare import bench as timing
    from compare import check as checking

    twins, chosen = select(names, everything, chapter, engine, python, device)
    options = timing.Options(reference, quick, share("--precision", precision), seconds("--budget", budget))
    speeds = timing.plan(twins, chosen, device, seed, size, reference)
    cells = [*timing.gates(speeds), *speeds]

    def run(record: Any, tell: Any) -> None:
        checking.run(record, chosen, checking.Settings(device, 1, os.cpu_count() or 1, timeout), tell)
        timing.run(record, chosen, checking.Settings(device, threads, 1, timeout), options, tell)

    recorded = {"quick": quick, "precision": precision, "budget": budget, "threads": threads, "reference": reference}
    measure("bench", cells, out, resume, recorded, as_json, run)
