"""A strip: small pictures side by side, as a PNG in base64 that a record can hold."""

import base64
import io
from typing import Any

import numpy as np

GAP = 1  # pixels between two pictures of a strip
APART: dict[str, Any] = {"gap": 6, "ground": 1.0}  # where one picture would run into the next
SIDE = 32  # pixels that the longer side of a picture has at least: small ones are enlarged
GREYS, COLOURS = 16, 64  # of a strip: fewer make it smaller, and no reader counts them


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A small picture (H, W, C) with each pixel repeated, until its longer side has 32."""
    times = max(1, SIDE // max(picture.shape[:2]))
    return picture.repeat(times, 0).repeat(times, 1)


def strip(pictures: list[np.ndarray], gap: int = GAP, ground: float = 0.5) -> str:
    """Pictures side by side on a grey ground, as a PNG in base64."""
    from PIL import Image

    pictures = [enlarged(picture) for picture in pictures]
    height, width, depth = pictures[0].shape
    row = np.full((height, len(pictures) * (width + gap) - gap, depth), ground)
    for number, picture in enumerate(pictures):
        row[:, number * (width + gap) : number * (width + gap) + width] = np.nan_to_num(picture)
    pixels = (row.clip(0, 1) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if depth == 1 else pixels)
    few = image.quantize(GREYS if depth == 1 else COLOURS, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
