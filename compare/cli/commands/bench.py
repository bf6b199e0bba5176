"""`twin bench`."""

from pathlib import Path
from typing import Any

from compare.cli import options
from compare.cli.arguments import seconds, select, share, side_by_side
from compare.cli.carry_out import measure, watched
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin bench lenet",
    "twin bench lenet --engine torch --engine torch:compile",
)


def bench(
    names: options.Names = None,
    everything: options.All = False,
    chapter: options.InChapter = None,
    engine: options.Engines = None,
    python: options.Pythons = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    size: options.SizeName = "small",
    reference: options.Reference = "torch",
    quick: options.Quick = False,
    precision: options.Precision = "2%",
    budget: options.Budget = "10m",
    threads: options.Threads = 1,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    resume: options.Resume = None,
    on: options.On = None,
) -> None:
    """Time twins on every engine, and say which is faster where the measurements show it."""
    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    from compare.bench import run as timing
    from compare.check import run as checking
    from compare.engines.engine import named
    from compare.engines.pool import Settings

    reference = named(reference)
    how = timing.Options(reference, quick, share("--precision", precision), seconds("--budget", budget))
    speeds = timing.plan(twins, chosen, device, seed, size, reference)
    measurements = [*timing.gates(speeds), *speeds]
    jobs = side_by_side(None, on)

    def run(record: Any, on_progress: Any) -> None:
        checking.run(record, chosen, Settings(device, 1, jobs, timeout), on_progress)
        with watched(record):
            timing.run(record, chosen, Settings(device, threads, 1, timeout), how, on_progress)

    recorded = {"quick": quick, "precision": precision, "budget": budget, "threads": threads, "reference": reference}
    measure("bench", measurements, out, resume, recorded, as_json, run, on, explain)
