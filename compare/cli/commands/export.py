"""`twin export`."""

from pathlib import Path
from typing import Annotated

import typer

from compare.cli import options
from compare.cli.arguments import make_folder, select
from compare.cli.carry_out import measure
from compare.cli.commands import COMPARE

GROUP = COMPARE
EXAMPLES = (
    "twin export lenet --to onnx --to litert",
    "twin export --chapter 3 --engine keras-jax --save exported",
)


def export(
    names: options.Names = None,
    everything: options.All = False,
    chapter: options.InChapter = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="onnx, saved_model, torch_export, keras_file, litert, openvino, executorch, jax_export, orbax, "
            "aot_inductor or coreml; repeat for several. Default: all.",
        ),
    ] = None,
    trained: Annotated[
        bool, typer.Option("--trained", help="Train each model first, in PyTorch; else its weights are random.")
    ] = False,
    engine: options.Engines = None,
    python: options.Pythons = None,
    seed: options.Seed = 0,
    timeout: options.Timeout = 300,
    as_json: options.Json = None,
    explain: options.Explain = False,
    out: options.Out = Path("runs"),
    save: Annotated[Path | None, typer.Option("--save", metavar="FOLDER", help="Where to keep the files.")] = None,
    resume: options.Resume = None,
) -> None:
    """Export models to files of other formats, and check that their runtimes answer as the models do."""
    twins, chosen = select(names, everything, chapter, engine, python, "cpu")
    from compare.engines.pool import Settings
    from compare.export import run as exporting

    measurements = exporting.plan(twins, chosen, to or [], "cpu", seed)
    if save:
        make_folder(save, "--save")
    measure(
        "export",
        measurements,
        out,
        resume,
        {"trained": True} if trained else {},
        as_json,
        lambda record, progress: exporting.run(record, chosen, Settings(timeout=timeout), progress, save, trained),
        None,
        explain,
    )
