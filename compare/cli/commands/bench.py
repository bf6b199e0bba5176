"""`twin bench`."""

from pathlib import Path
from typing import Any

from compare.cli.arguments import seconds, select, share, side_by_side
from compare.cli.carry_out import measure
from compare.cli.options import (
    All,
    Budget,
    Device,
    Engines,
    Explain,
    InChapter,
    Json,
    Names,
    On,
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
    explain: Explain = False,
    out: Out = Path("runs"),
    resume: Resume = None,
    on: On = None,
) -> None:
    """Time twins over process runs; only those that agree, with ratios, intervals and verdicts."""
    from compare.bench import run as timing
    from compare.check import run as checking
    from compare.engines.pool import Settings

    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    options = timing.Options(reference, quick, share("--precision", precision), seconds("--budget", budget))
    speeds = timing.plan(twins, chosen, device, seed, size, reference)
    measurements = [*timing.gates(speeds), *speeds]
    jobs = side_by_side(None, on)

    def run(record: Any, on_progress: Any) -> None:
        checking.run(record, chosen, Settings(device, 1, jobs, timeout), on_progress)
        timing.run(record, chosen, Settings(device, threads, 1, timeout), options, on_progress)

    recorded = {"quick": quick, "precision": precision, "budget": budget, "threads": threads, "reference": reference}
    measure("bench", measurements, out, resume, recorded, as_json, run, on, explain)
