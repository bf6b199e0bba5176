"""`twin compare`."""

from pathlib import Path
from typing import Any

from compare.cli.arguments import seconds, select, share, side_by_side
from compare.cli.arguments import seeds as chosen_seeds
from compare.cli.carry_out import measure
from compare.cli.options import (
    All,
    Budget,
    Device,
    Engines,
    Epochs,
    Explain,
    FirstSeed,
    InChapter,
    Init,
    Jobs,
    Json,
    Log,
    Names,
    On,
    Out,
    Precision,
    Pythons,
    Quick,
    Reference,
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
    reference: Reference = "torch",
    quick: Quick = False,
    precision: Precision = "2%",
    budget: Budget = "10m",
    log: Log = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    explain: Explain = False,
    out: Out = Path("runs"),
    resume: Resume = None,
    on: On = None,
) -> None:
    """Check, time and train twins, in one record and one report."""
    from compare.bench import run as bench
    from compare.check import run as checking
    from compare.engines.pool import Settings
    from compare.train import logs
    from compare.train import run as training

    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    jobs = side_by_side(jobs, on)
    planned = chosen_seeds(seed, seeds)
    timing = bench.Options(reference, quick, share("--precision", precision), seconds("--budget", budget))
    measurements = [
        *checking.plan(twins, chosen, device, planned[0], "small"),
        *bench.plan(twins, chosen, device, planned[0], "small", reference),
        *training.plan(twins, chosen, device, planned),
    ]
    if log:
        logs.require(log)
    options = {"epochs": epochs, "init": init, "threads": threads, "reference": reference}
    options |= {"quick": quick, "precision": precision, "budget": budget}

    def all_three(record: Any, on_progress: Any) -> None:
        checking.run(record, chosen, Settings(device, 1, jobs, timeout), on_progress)
        one_by_one = Settings(device, threads, 1, timeout)
        bench.run(record, chosen, one_by_one, timing, on_progress)
        to = logs.Log(log, out / log / record.path.stem) if log else None
        training.run(record, chosen, one_by_one, training.Options(epochs, init, log=to), on_progress)

    measure("compare", measurements, out, resume, options, as_json, all_three, on, explain)
