"""What a trained twin does, as one small picture for its page: kept in drawn/, so that the site draws nothing.

`make pictures` makes them anew, in native PyTorch on real data: what every model does after a training, and what
exercises compute.
"""

import base64
import functools
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.record.results import Predictions
from twin.strips import GAP

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = Path(__file__).parent / "drawn"
WIDTH = 560  # pixels of a picture, at most
STRIPS = 4
SPACE = 8  # pixels between two strips
WIDE = 4  # times its height
MOST = 30_000  # bytes of a file
COLOURS = {"true": (255, 255, 255), "predicted": (238, 119, 51)}  # of boxes on a strip


@dataclass(frozen=True)
class Drawn:
    """A picture, and what its strips show from top to bottom.

    Args:
        file: its name in the folder.
        width, height: in pixels.
        captions: one for each strip.
        true, predicted: what stands under the pictures of a strip, where classes or texts are predicted.
    """

    file: str
    width: int
    height: int
    captions: list[str]
    true: list[Any]
    predicted: list[Any]


@functools.cache
def every() -> dict[str, Drawn]:
    """Twin -> its picture; some have none."""
    file = FOLDER / "pictures.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {name: Drawn(**each) for name, each in known.items()}


def keep(name: str, strips: Sequence[tuple[str, "Image"]], found: Predictions | None = None) -> Drawn:
    """Write a twin's picture.

    Args:
        name: of the twin.
        strips: each with what it shows.
        found: the predictions that the strips belong to.

    Returns:
        It, for the list that `every` reads.
    """
    strips = strips[:STRIPS]
    content, shown = _small(_joined([_fitted(_cut(strip, found) if found else strip) for _, strip in strips]))
    file = FOLDER / f"{name}.webp"
    file.write_bytes(content)
    labels = found.labels if found else None
    true, predicted = (list(labels.true), list(labels.predicted)) if labels else ([], [])
    return Drawn(file.name, shown.width, shown.height, [caption for caption, _ in strips], true, predicted)


def _joined(pictures: Sequence["Image"], space: int = SPACE) -> "Image":
    """Pictures below each other on white, with some space between them."""
    from PIL import Image

    height = sum(each.height + space for each in pictures) - space
    whole, at = Image.new("RGB", (max(each.width for each in pictures), height), "white"), 0
    for picture in pictures:
        whole.paste(picture, (0, at))
        at += picture.height + space
    return whole


def of_predictions(found: Predictions) -> list[tuple[str, "Image"]]:
    """The strips of a training's record: of the data, with boxes where those are predicted, then of the model."""
    from PIL import Image, ImageDraw

    strips: list[tuple[str, Image.Image]] = []
    for each in sorted(found.pictures, key=lambda each: each.of != "data"):
        strip = Image.open(io.BytesIO(base64.b64decode(each.png))).convert("RGB")
        caption = each.caption
        if found.boxes and not strips:
            times, (height, width) = 2, found.tile
            strip = strip.resize((strip.width * times, strip.height * times), Image.Resampling.NEAREST)
            for which, colour in COLOURS.items():
                for at, (left, top, right, bottom) in enumerate(getattr(found.boxes, which)):
                    start = at * (width + GAP) * times
                    places = (left * width, top * height, right * width, bottom * height)
                    x, y, x2, y2 = (place * times for place in places)
                    edges = (start + x, y, start + max(x, x2), max(y, y2))
                    ImageDraw.Draw(strip).rectangle(edges, outline=colour, width=2)
            caption = "input; the true box in white, the predicted one in orange"
        strips.append((caption, strip))
    return strips


def _cut(strip: "Image", found: Predictions) -> "Image":
    """As many pictures of a strip as there is room for as they were drawn: lines of a pixel would be lost in less.

    Wide ones are put below each other.
    """
    each = found.tile[1] + GAP
    if strip.width <= WIDTH or strip.width != (found.rows or 0) * each - GAP:
        return strip
    if found.tile[1] > WIDE * found.tile[0]:
        starts = range(0, strip.width, each)
        return _joined([strip.crop((at, 0, at + found.tile[1], strip.height)) for at in starts], GAP)
    return strip.crop((0, 0, max(1, WIDTH // each) * each - GAP, strip.height))


def _fitted(strip: "Image") -> "Image":
    """Enlarged by a whole number as far as it fits, or made smaller to fit."""
    from PIL import Image

    strip = strip.convert("RGB")
    times = max(1, min(4, WIDTH // strip.width))
    if strip.width > WIDTH:
        return strip.resize((WIDTH, max(1, round(strip.height * WIDTH / strip.width))), Image.Resampling.LANCZOS)
    return strip.resize((strip.width * times, strip.height * times), Image.Resampling.NEAREST)


def _small(picture: "Image") -> tuple[bytes, "Image"]:
    """WebP without loss where that is small enough; else with some, and then with fewer pixels; and what it shows."""
    hows: list[dict[str, Any]] = [{"lossless": True, "quality": 100}, *({"quality": each} for each in (90, 75, 60, 45))]
    while True:
        for how in hows:
            file = io.BytesIO()
            picture.save(file, "WEBP", method=6, **how)
            if file.tell() <= MOST:
                return file.getvalue(), picture
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))
