"""`twin check`."""

from pathlib import Path

from compare.cli.arguments import select, side_by_side
from compare.cli.carry_out import measure
from compare.cli.options import (
    All,
    Device,
    Engines,
    Explain,
    InChapter,
    Jobs,
    Json,
    Names,
    On,
    Out,
    Pythons,
    Resume,
    Seed,
    SizeName,
    Timeout,
)


def check(
    names: Names = None,
    everything: All = False,
    chapter: InChapter = None,
    engine: Engines = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    size: SizeName = "small",
    timeout: Timeout = 300,
    jobs: Jobs = None,
    as_json: Json = None,
    explain: Explain = False,
    out: Out = Path("runs"),
    resume: Resume = None,
    on: On = None,
) -> None:
    """Take twins up the ladder: structure, weights, forward, gradients, optimizer, trajectory."""
    from compare.check import run as checking
    from compare.engines.pool import Settings

    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    measurements = checking.plan(twins, chosen, device, seed, size)
    settings = Settings(device, 1, side_by_side(jobs, on), timeout)
    measure(
        "check",
        measurements,
        out,
        resume,
        {},
        as_json,
        lambda r, on_progress: checking.run(r, chosen, settings, on_progress),
        on,
        explain,
    )
