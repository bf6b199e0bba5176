"""`twin check`."""

import os
from pathlib import Path

from compare.commands.common import measure, select
from compare.commands.options import (
    All,
    Device,
    Engines,
    InChapter,
    Jobs,
    Json,
    Names,
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
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """Take twins up the ladder: structure, weights, forward, gradients, optimizer, trajectory."""
    from compare import check as checking

    twins, chosen = select(names, everything, chapter, engine, python, device)
    cells = checking.plan(twins, chosen, device, seed, size)
    settings = checking.Settings(device, 1, jobs or os.cpu_count() or 1, timeout)
    measure("check", cells, out, resume, {}, as_json, lambda r, tell: checking.run(r, chosen, settings, tell))
