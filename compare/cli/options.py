"""The options that several commands share: a name and a type each."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Names = Annotated[list[str] | None, typer.Argument(help="Names of twins; see `twin list`.")]
All = Annotated[bool, typer.Option("--all", help="Every twin.")]
InChapter = Annotated[str | None, typer.Option("--chapter", help="Every twin of a chapter, by number or name.")]
Engines = Annotated[list[str] | None, typer.Option("--engine", help="An engine; repeat for several. Default: all.")]
Pythons = Annotated[list[str] | None, typer.Option("--python", help="ENGINE=PATH: an engine's own interpreter.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the engines compute.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the weights, the batches and the noise.")]
FirstSeed = Annotated[int | None, typer.Option("--seed", min=0, help="The first, or only, seed. Default: 0.")]
Seeds = Annotated[str, typer.Option("--seeds", metavar="N|LIST", help="How many seeds to train from, or which: 3,5,8.")]
Log = Annotated[
    Literal["tensorboard", "wandb"] | None, typer.Option("--log", help="Also write curves there; wandb stays offline.")
]
SizeName = Annotated[Literal["small", "paper"], typer.Option("--size", help="Small, or as published.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds that one request to an engine may take.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Engines that compute at the same time. Default: the cores.")]
Weights = Annotated[Path | None, typer.Option("--weights", help="Initial weights of one twin, as --save writes them.")]
Save = Annotated[Path | None, typer.Option("--save", help="Folder for the trained weights.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of each engine while it trains.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write JSON; - for stdout.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the record.")]
Resume = Annotated[Path | None, typer.Option("--resume", metavar="RECORD", help="Continue an interrupted run.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the twin's own number.")]
Init = Annotated[Literal["shared", "own"], typer.Option(help="Initial weights: the same, or each engine's own.")]
On = Annotated[Literal["ray"] | None, typer.Option("--on", help="Spread the twins over a Ray cluster.")]
Quick = Annotated[bool, typer.Option("--quick", help="Three process runs, and no verdict on speed.")]
Precision = Annotated[str, typer.Option(help="Half width of the interval of a ratio at which its process runs end.")]
Budget = Annotated[str, typer.Option(help="Time per twin after which no round begins: 90s, 10m, 1h.")]
Reference = Annotated[str, typer.Option("--reference", help="The engine that the others are compared with.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say what the columns of the tables mean.")]
