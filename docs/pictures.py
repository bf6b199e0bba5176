"""Makes the pictures of the site's pages anew: `python docs/pictures.py RECORDS...`, or `make pictures`.

Records of trainings give what models do; what exercises compute is drawn here, in native PyTorch.
"""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from PIL import Image

from compare.engines.engine import choose
from compare.engines.pool import Pool, Settings
from compare.reading import drawings, drawn
from compare.record.measurement import trainings_of
from compare.record.record import read_record
from compare.record.results import Predictions
from twin.batches import exercise_inputs
from twin.catalogue import TWINS


def of_exercises() -> dict[str, tuple[str, Image.Image]]:
    """Exercise -> a caption and its picture."""
    pool = Pool(Settings())
    (engine,) = choose(["torch"])
    found: dict[str, tuple[str, Image.Image]] = {}

    def draw() -> None:
        with pool.slots:
            session = pool.start(engine, "cpu")
            for twin in TWINS.values():
                if twin.kind == "exercise":
                    run = partial(session.exercise, twin.name)
                    found[twin.name] = drawings.draw(twin.name, run, exercise_inputs(twin))

    pool.run([draw])
    return found


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
    for name, picture in of_exercises().items():
        kept[name] = drawn.keep(name, [picture])
    listed = {name: asdict(kept[name]) for name in TWINS if name in kept}
    (drawn.FOLDER / "pictures.json").write_text(json.dumps(listed, ensure_ascii=False, indent=1) + "\n")
    for file in drawn.FOLDER.glob("*.webp"):
        if file.stem not in listed:
            file.unlink()
    print(f"{len(listed)} pictures; none of {', '.join(name for name in TWINS if name not in listed)}")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
