"""`twin train`."""

from pathlib import Path
from typing import Any

from compare.cli.arguments import make_folder, select
from compare.cli.arguments import seeds as chosen_seeds
from compare.cli.carry_out import measure
from compare.cli.options import (
    All,
    Device,
    Engines,
    Epochs,
    Explain,
    FirstSeed,
    InChapter,
    Init,
    Json,
    Log,
    Names,
    On,
    Out,
    Pythons,
    Resume,
    Save,
    Seeds,
    Threads,
    Timeout,
    Weights,
)
from twin.errors import TwinError


def train(
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
    weights: Weights = None,
    save: Save = None,
    log: Log = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    as_json: Json = None,
    explain: Explain = False,
    out: Out = Path("runs"),
    resume: Resume = None,
    on: On = None,
) -> None:
    """Train twins on every engine, from the same weights and on the same batches; 11 seeds or more give a verdict."""
    from compare.engines.pool import Settings
    from compare.train import logs
    from compare.train import run as training

    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    measurements = training.plan(twins, chosen, device, chosen_seeds(seed, seeds))
    settings = Settings(device, threads, 1, timeout)
    if weights and len(twins) != 1:
        raise TwinError(f"--weights {weights}: weights belong to one twin; {len(twins)} are named")
    if save:
        make_folder(save, "--save")
    if log:
        logs.require(log)

    def run(record: Any, on_progress: Any) -> None:
        to = logs.Log(log, out / log / record.path.stem) if log else None
        training.run(record, chosen, settings, training.Options(epochs, init, weights, save, to), on_progress)

    recorded = {"epochs": epochs, "init": init, "weights": weights and str(weights), "threads": threads}
    measure("train", measurements, out, resume, recorded, as_json, run, on, explain)
