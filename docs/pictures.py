"""Makes the pictures of the site's pages anew: `python docs/pictures.py RECORDS...`, or `make pictures`.

Records of trainings give what models do; what exercises draw is drawn here, in native PyTorch.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from compare.engines.engine import choose
from compare.engines.pool import Pool, Settings
from compare.reading import drawn
from compare.reading.pictures import PREFIX
from compare.record.measurement import trainings_of
from compare.record.record import read_record
from compare.record.results import Predictions
from twin.batches import exercise_inputs
from twin.catalogue import TWINS

SIZE = 240  # pixels of the longer side of what an exercise draws
ROWS = 6  # of a batch that it gives back


def of_exercises() -> dict[str, list[tuple[str, Image.Image]]]:
    """Exercise -> its pictures, for those that draw any."""
    pool = Pool(Settings())
    (engine,) = choose(["torch"])
    found: dict[str, list[tuple[str, Image.Image]]] = {}

    def draw() -> None:
        with pool.slots:
            session = pool.start(engine, "cpu")
            for twin in TWINS.values():
                if twin.kind == "exercise":
                    outputs = session.exercise(twin.name, exercise_inputs(twin))
                    drawn_by_it = {
                        name.removeprefix(PREFIX): image(array)
                        for name, array in outputs.items()
                        if name.startswith(PREFIX)
                    }
                    if pictures := drawn_by_it or in_colour(outputs):
                        found[twin.name] = [(name.replace("_", " "), each) for name, each in pictures.items()]

    pool.run([draw])
    return found


def in_colour(outputs: Mapping[str, np.ndarray]) -> dict[str, Image.Image]:
    """Outputs that are batches of pictures in colour, (N, H, W, 3) from 0 to 1, as an augmentation's: a strip each."""
    return {
        name: Image.fromarray((np.concatenate(list(array[:ROWS]), axis=1) * 255).round().astype("uint8"))
        for name, array in outputs.items()
        if array.ndim == 4 and array.shape[-1] == 3 and array.min() >= 0 and array.max() <= 1
    }


def image(array: np.ndarray) -> Image.Image:
    """(H, W) or (H, W, 3), from 0 to 1, enlarged so that its pixels can be seen."""
    made = Image.fromarray((array.clip(0, 1) * 255).round().astype("uint8"))
    times = max(1, SIZE // max(made.size))
    return made.resize((made.width * times, made.height * times), Image.Resampling.NEAREST)


def _shows_something(found: Predictions) -> bool:
    """Not where all that can be seen are inputs of one class, such as eight recordings of one who stands."""
    of_model = any(each.of == "model" for each in found.pictures)
    return of_model or bool(found.pictures and not (found.labels and len(set(map(str, found.labels.true))) == 1))


def main(records: list[Path]) -> None:
    """Keep a picture for each twin that draws one; those of twins without a record stay as they are."""
    kept = {name: each for name, each in drawn.every().items() if name in TWINS}
    for record in map(read_record, records):
        for training in trainings_of(record.measurements):
            found = training.result.predictions if training.result else None
            if training.engine == "torch" and found and _shows_something(found):
                kept[training.twin] = drawn.keep(training.twin, drawn.of_predictions(found), found)
    for name, pictures in of_exercises().items():
        wide = all(each.width > each.height * 2 for _, each in pictures)
        kept[name] = drawn.keep(name, pictures, columns=1 if wide else min(2, len(pictures)))
    listed = {name: asdict(kept[name]) for name in TWINS if name in kept}
    (drawn.FOLDER / "pictures.json").write_text(json.dumps(listed, ensure_ascii=False, indent=1) + "\n")
    for file in drawn.FOLDER.glob("*.webp"):
        if file.stem not in listed:
            file.unlink()
    print(f"{len(listed)} pictures; none of {', '.join(name for name in TWINS if name not in listed)}")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
