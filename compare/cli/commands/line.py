"""`twin line`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from compare.cli.arguments import check_device
from compare.cli.carry_out import measure
from compare.cli.options import Device, Epochs, Explain, Json, Out, Pythons, Resume, Seed, Threads, Timeout


def line(
    data: Annotated[
        str | None,
        typer.Option(metavar="fashion_mnist|digits", help="Default: fashion_mnist where installed, else digits."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two epochs on few pictures: a trial, with no goals.")] = False,
    engine: Annotated[
        list[str] | None, typer.Option("--engine", help="Repeat for several. Default: torch and keras-jax.")
    ] = None,
    python: Pythons = None,
    device: Device = "cpu",
    seed: Seed = 0,
    epochs: Epochs = None,
    threads: Threads = 1,
    timeout: Timeout = 300,
    as_json: Json = None,
    explain: Explain = False,
    out: Out = Path("runs"),
    resume: Resume = None,
) -> None:
    """LeNet, VGG, ResNet, MBConv, ViT: what each costs, how fast it learns, and how well, on the same pictures."""
    from compare.engines import engine as engines
    from compare.engines.pool import Settings
    from compare.train import line as progress_line
    from compare.train import run as training
    from twin.catalogue.line import QUICK_EPOCHS, variants

    check_device(device)
    installed = engines.choose(engine or [], engines.parse_pythons(python or []))
    chosen = installed if engine else progress_line.choose_engines(installed)
    data = progress_line.choose_data(data)
    twins = variants(data, quick)
    epochs = epochs or (QUICK_EPOCHS if quick else None)
    settings = Settings(device, threads, 1, timeout)
    measurements = training.plan(twins, chosen, device, [seed], size="line")
    recorded = {"data": data, "epochs": epochs, "quick": quick, "threads": threads}

    def run(record: Any, on_progress: Any) -> None:
        progress_line.run(record, twins, chosen, settings, epochs, on_progress)

    measure("line", measurements, out, resume, recorded, as_json, run, explain=explain)
