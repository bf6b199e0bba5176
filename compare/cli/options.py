"""The options that several commands share: a name, a type and a sentence each. One thing has one spelling."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from compare.cli.arguments import MOST_SECONDS, MOST_SEED

MOST_AT_ONCE, MOST_EPOCHS = 4096, 1_000_000

# What
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Names of twins; see `twin list`.")]
All = Annotated[bool, typer.Option("--all", help="Every twin.")]
InChapter = Annotated[
    str | None, typer.Option("--chapter", metavar="CHAPTER", help="Every twin of a chapter, by number or name.")
]
SizeName = Annotated[Literal["small", "paper"], typer.Option("--size", help="Small, or as published.")]

# On which engines
Engines = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="torch, keras-tensorflow, keras-jax or keras-torch; repeat for several. Default: all that are installed.",
    ),
]
Pythons = Annotated[
    list[str] | None, typer.Option("--python", metavar="ENGINE=PATH", help="An interpreter of its own for an engine.")
]
Reference = Annotated[
    str, typer.Option("--reference", metavar="ENGINE", help="The engine that the others are compared with.")
]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the engines compute.")]
Threads = Annotated[
    int, typer.Option(min=1, max=MOST_AT_ONCE, metavar="N", help="Threads of each engine while it trains.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_AT_ONCE, metavar="N", help="Engines that compute at the same time. Default: the cores."
    ),
]
Timeout = Annotated[
    float, typer.Option(min=1, max=MOST_SECONDS, metavar="SECONDS", help="How long an engine may take for one request.")
]
On = Annotated[Literal["ray"] | None, typer.Option("--on", help="Spread the twins over a Ray cluster.")]

KerasEngine = Annotated[
    str | None,
    typer.Option("--engine", "--backend", metavar="ENGINE", help="What Keras runs on: tensorflow, jax or torch."),
]

# How it is timed
Quick = Annotated[bool, typer.Option("--quick", help="Three process runs, and no verdict on speed.")]
Precision = Annotated[
    str,
    typer.Option(metavar="SHARE", help="Timing ends when the interval of a ratio is this narrow, to either side."),
]
Budget = Annotated[
    str, typer.Option(metavar="TIME", help="No process run begins after so long for a twin: 90s, 10m, 1h.")
]

# How it is trained
Seed = Annotated[
    int, typer.Option(min=0, max=MOST_SEED, metavar="N", help="Of the weights, the batches and the noise.")
]
FirstSeed = Annotated[
    int | None, typer.Option("--seed", min=0, max=MOST_SEED, metavar="N", help="The first, or only, seed. Default: 0.")
]
Seeds = Annotated[str, typer.Option("--seeds", metavar="N|LIST", help="How many seeds to train from, or which: 3,5,8.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, max=MOST_EPOCHS, metavar="N", help="Instead of the twin's own number.")
]
Init = Annotated[Literal["shared", "own"], typer.Option(help="Initial weights: the same, or each engine's own.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Initial weights of one twin, as --save writes them.")
]
Save = Annotated[Path | None, typer.Option("--save", metavar="FOLDER", help="Where to write the trained weights.")]
Log = Annotated[
    Literal["tensorboard", "wandb"] | None, typer.Option("--log", help="Also write curves there; wandb stays offline.")
]

# What comes out
Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write JSON; - for stdout.")]
Markdown = Annotated[str | None, typer.Option("--md", metavar="FILE|-", help="Write Markdown; - for stdout.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say what the columns of the tables mean.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the record.")]
Resume = Annotated[Path | None, typer.Option("--resume", metavar="RECORD", help="Continue an interrupted run.")]
