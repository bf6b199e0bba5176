"""`twin pictures`: what an exercise draws, one file per picture, the engines side by side."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from compare.engines.engine import Engine
from compare.engines.pool import Pool, Settings
from compare.engines.process import WorkerFailed
from twin.batches import Arrays, exercise_inputs
from twin.errors import INCOMPLETE, TwinError
from twin.spec import Twin

PREFIX = "picture_"  # an exercise's outputs that are pictures: (H, W) or (H, W, 3), from 0 to 1


def write(twins: Sequence[Twin], engines: Iterable[Engine], settings: Settings, folder: Path) -> list[Path]:
    """Run the exercises on the engines, and write a PNG per picture; return the files.

    Args:
        twins: exercises that draw.
        engines: shown with Keras on the left and PyTorch on the right.
        settings: how to run.
        folder: exists, and is written into.

    Raises:
        TwinError: when a twin draws nothing, an engine gives no answer, or a file cannot be written.
    """
    for twin in twins:
        if twin.kind != "exercise":
            raise _draws_nothing(twin)
    engines = sorted(engines, key=lambda engine: engine.side == "torch")
    drawn: dict[str, dict[str, Arrays]] = {engine.name: {} for engine in engines}  # engine -> twin -> outputs
    pool = Pool(settings)
    pool.run([partial(_run, pool, engine, twins, drawn[engine.name]) for engine in engines])

    files = []
    for twin in twins:
        names = [name for name in drawn[engines[0].name][twin.name] if name.startswith(PREFIX)]
        for name in names:
            file = folder / f"{twin.name}_{name.removeprefix(PREFIX)}.png"
            _side_by_side({engine.name: drawn[engine.name][twin.name][name] for engine in engines}, file)
            files.append(file)
    return files


def _run(pool: Pool, engine: Engine, twins: Sequence[Twin], found: dict[str, Arrays]) -> None:
    """Put each twin's outputs on one engine into `found`."""
    with pool.slot():
        try:
            session = pool.start(engine, pool.settings.device)
            for twin in twins:
                found[twin.name] = session.exercise(twin.name, exercise_inputs(twin))
                if not any(name.startswith(PREFIX) for name in found[twin.name]):
                    raise _draws_nothing(twin)
        except WorkerFailed as failure:
            raise TwinError(f"{engine.name}: {failure.reason}; see twin doctor", INCOMPLETE) from failure


def _draws_nothing(twin: Twin) -> TwinError:
    return TwinError(f"{twin.name} draws no pictures: an exercise does by outputs named {PREFIX}...; try feature_maps")


def _side_by_side(pictures: dict[str, np.ndarray], file: Path) -> None:
    """One row of pictures with their engines' names on top."""
    from matplotlib.figure import Figure  # here, because it takes half a second to import

    height, width = next(iter(pictures.values())).shape[:2]
    inches = 3.2
    figure = Figure((inches * len(pictures), inches * height / width + 0.4), layout="compressed")
    panels = figure.subplots(1, len(pictures), squeeze=False)[0]
    for panel, (engine, picture) in zip(panels, pictures.items(), strict=True):
        panel.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        panel.set_title(engine, fontsize=10)
        panel.axis("off")
    try:
        figure.savefig(file, dpi=200)
    except OSError as error:
        raise TwinError(f"cannot write {file}: {error.strerror}; choose another folder with --out") from error
