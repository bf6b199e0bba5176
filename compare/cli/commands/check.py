"""`twin check`."""

from pathlib import Path

from compare.cli import options
from compare.cli.arguments import select, side_by_side
from compare.cli.carry_out import measure
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin check lenet resnet",
    "twin check --chapter 3 --engine keras-jax",
)


def check(
    names: options.Names = None,
    everything: options.All = False,
    chapter: options.InChapter = None,
    engine: options.Engines = None,
    python: options.Pythons = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    size: options.SizeName = "small",
    timeout: options.Timeout = 300,
    jobs: options.Jobs = None,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    resume: options.Resume = None,
    on: options.On = None,
) -> None:
    """Check whether the engines compute the same: structure, weights, forward pass, gradients, training steps."""
    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    from compare.check import run as checking
    from compare.engines.pool import Settings

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
