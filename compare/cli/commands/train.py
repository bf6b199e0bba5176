"""`twin train`."""

from pathlib import Path
from typing import Any

from compare.cli import options
from compare.cli.arguments import make_folder, select
from compare.cli.arguments import seeds as chosen_seeds
from compare.cli.carry_out import measure
from compare.cli.commands import COMPARE
from twin.errors import TwinError

GROUP = COMPARE
EXAMPLES = (
    "twin train lenet --seeds 11",
    "twin train mlp --engine torch --save weights",
)


def train(
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
    weights: options.Weights = None,
    save: options.Save = None,
    log: options.Log = None,
    threads: options.Threads = 1,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    resume: options.Resume = None,
    on: options.On = None,
) -> None:
    """Train twins on every engine from the same weights and batches; 11 seeds or more show who learns better."""
    twins, chosen = select(names, everything, chapter, engine, python, device, on)
    from compare.engines.pool import Settings
    from compare.train import logs
    from compare.train import run as training

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
