"""`twin line`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from compare.cli import options
from compare.cli.arguments import check_device
from compare.cli.carry_out import measure
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin line",
    "twin line --quick --engine torch",
)


def line(
    data: Annotated[
        str | None,
        typer.Option(metavar="fashion_mnist|digits", help="Default: fashion_mnist where installed, else digits."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two epochs on few pictures: a trial without targets.")
    ] = False,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", metavar="ENGINE", help="Repeat for several. Default: torch, keras-jax."),
    ] = None,
    python: options.Pythons = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    epochs: options.Epochs = None,
    threads: options.Threads = 1,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    resume: options.Resume = None,
) -> None:
    """Train LeNet, VGG, ResNet, MBConv and ViT on the same pictures: what each costs, and how well it learns."""
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
