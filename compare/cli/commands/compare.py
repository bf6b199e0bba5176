"""`twin compare`."""

from pathlib import Path
from typing import Any

from compare.cli import options
from compare.cli.arguments import seconds, select, share, side_by_side
from compare.cli.arguments import seeds as chosen_seeds
from compare.cli.carry_out import measure, watched
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin compare lenet --quick",
    "twin compare unet --seeds 11",
)


def compare(
    names: options.Names = None,
    everything: options.All = False,
    chapter: options.InChapter = None,
    engine: options.Engines = None,
    python: options.Pythons = None,
    device: options.Device = "cpu",
    seed: options.FirstSeed = None,
    seeds: options.Seeds = "1",
    epochs: options.Epochs = None,
    init: options.Init = "shared",
    reference: options.Reference = "torch",
    quick: options.Quick = False,
    precision: options.Precision = "2%",
    budget: options.Budget = "10m",
    log: options.Log = None,
    threads: options.Threads = 1,
    timeout: options.Timeout = 300,
    jobs: options.Jobs = None,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    resume: options.Resume = None,
    on: options.On = None,
) -> None:
    """Check, time and train twins: do the engines agree, which is fastest, do they learn equally well?"""
    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    from compare.bench import run as bench
    from compare.check import run as checking
    from compare.engines.engine import named
    from compare.engines.pool import Settings
    from compare.train import logs
    from compare.train import run as training

    reference = named(reference)
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
    recorded = {"epochs": epochs, "init": init, "threads": threads, "reference": reference}
    recorded |= {"quick": quick, "precision": precision, "budget": budget}

    def all_three(record: Any, on_progress: Any) -> None:
        checking.run(record, chosen, Settings(device, 1, jobs, timeout), on_progress)
        one_by_one = Settings(device, threads, 1, timeout)
        with watched(record):
            bench.run(record, chosen, one_by_one, timing, on_progress)
        to = logs.Log(log, out / log / record.path.stem) if log else None
        training.run(record, chosen, one_by_one, training.Options(epochs, init, log=to), on_progress)

    measure("compare", measurements, out, resume, recorded, as_json, all_three, on, explain)
