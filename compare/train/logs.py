"""`--log`: losses and metrics of a training, written as they come for TensorBoard or for Weights & Biases.

Neither needs an account. Both are extras, and both are imported only when they are asked for.
"""

import contextlib
import importlib.util
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compare.record.measurement import Measurement
from twin.errors import TwinError, shortage

Kind = Literal["tensorboard", "wandb"]
Write = Callable[[dict[str, float], int], None]  # names and values, and the epoch after which they were seen


@dataclass(frozen=True)
class Log:
    """Where a run's trainings are logged, one folder or one offline run each."""

    kind: Kind
    folder: Path

    @contextlib.contextmanager
    def open(self, measurement: Measurement) -> Iterator["Writer"]:
        """What writes to the measurement's log until the context is left.

        Raises:
            TwinError: when there is no such place to write to.
        """
        writer, opened = Writer(), contextlib.ExitStack()
        kinds = {"tensorboard": _tensorboard, "wandb": _wandb}
        try:
            writer.write = opened.enter_context(kinds[self.kind](self.folder, measurement))
        except TwinError as error:
            if not shortage(error):
                raise
            writer.error = error
        try:
            yield writer
        finally:
            try:
                opened.close()
            except TwinError as error:
                writer.error = writer.error or error


class Writer:
    """Takes a training's values; a disk that fills costs the log, and not the training.

    `error` says why the log lacks the newest; None where it has all.
    """

    def __init__(self) -> None:
        self.write: Write | None = None
        self.error: TwinError | None = None

    def __call__(self, values: dict[str, float], step: int) -> None:
        if self.write is not None and self.error is None:
            try:
                self.write(values, step)
            except TwinError as error:
                self.error = error


def require(kind: Kind) -> None:
    """See that the extra is installed, before anything is trained.

    Raises:
        TwinError: when it is not.
    """
    if importlib.util.find_spec(kind) is None:
        raise TwinError(f"--log {kind}: {kind} is not installed; try: pip install 'twin-suite[{kind}]'")


@contextlib.contextmanager
def _tensorboard(folder: Path, measurement: Measurement) -> Iterator[Write]:
    """An event file at <folder>/<twin>/<engine>/seed<n>, which `tensorboard --logdir` finds.

    The file is opened here, not by TensorBoard's EventFileWriter: that one imports TensorFlow where it is installed.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    place = folder / measurement.twin / measurement.engine.replace(":", "-") / f"seed{measurement.seed}"
    now = time.time()
    name = f"events.out.tfevents.{now:.0f}.{socket.gethostname()}.{os.getpid()}"  # TensorBoard knows it by the start
    with contextlib.ExitStack() as stack:
        with _mistakes("tensorboard", place, OSError):
            place.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((place / name).open("wb", buffering=0))
        writer = RecordWriter(file)

        def write(values: dict[str, float], step: int) -> None:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            with _mistakes("tensorboard", place, OSError):
                writer.write(Event(wall_time=time.time(), step=step, summary=summary).SerializeToString())

        with _mistakes("tensorboard", place, OSError):
            writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        yield write


@contextlib.contextmanager
def _wandb(folder: Path, measurement: Measurement) -> Iterator[Write]:
    """A run of the project twin-suite, offline unless WANDB_MODE says otherwise; `wandb sync` uploads it later."""
    import wandb

    with _mistakes("wandb", folder, OSError, wandb.errors.Error, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project="twin-suite",
            group=measurement.twin,
            name=f"{measurement.twin}-{measurement.engine}-seed{measurement.seed}",
            config={name: getattr(measurement, name) for name in ("twin", "engine", "seed", "device")},
            dir=folder,
            mode=None if "WANDB_MODE" in os.environ else "offline",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )

    def write(values: dict[str, float], step: int) -> None:
        with _mistakes("wandb", folder, OSError, wandb.errors.Error):
            run.log(values | {"epoch": step}, step=step)

    try:
        yield write
    finally:
        with _mistakes("wandb", folder, OSError, wandb.errors.Error):
            run.finish()


@contextlib.contextmanager
def _mistakes(kind: Kind, place: Path, *kinds: type[Exception]) -> Iterator[None]:
    """A library's complaint, or the disk's, as one line."""
    try:
        yield
    except kinds as error:
        if isinstance(error, OSError):
            said, remedy = error.strerror, "choose another place with --out"
        else:
            said, remedy = " ".join(str(error).split())[:200], "unset WANDB_MODE to stay offline"
        raise TwinError(f"--log {kind}: cannot write to {place}: {said}; {remedy}") from error
