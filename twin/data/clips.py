"""Short clips of one real digit that moves: the motion is the class, and a single frame does not show it.

After Moving MNIST (Srivastava, Mansimov and Salakhutdinov, "Unsupervised learning of video representations using
LSTMs", 2015, section 3.2), with eight motions in place of a free path. Digits of the train part and of the test part
are different pictures, split as in twin.data.digits.
"""

import numpy as np
from scipy.ndimage import map_coordinates

from twin.data import Arrays, Dataset, digits
from twin.errors import TwinError

MOTIONS = ("left", "right", "up", "down", "grows", "shrinks", "turns left", "turns right")
DIRECTIONS = ((0, -1), (0, 1), (-1, 0), (1, 0))  # down and right, of the first four


def load(frames: int = 8, size: int = 20, train_count: int = 1600, test_count: int = 400, seed: int = 0) -> Dataset:
    """Clips `x` (N, frames, size, size, 1), ink from 0 to 1 under grain, and motions `y` (N,), an index into MOTIONS.

    Args:
        frames: of a clip, at least 2.
        size: height and width of a frame, at least 16.
        train_count: number of train clips.
        test_count: number of test clips.
        seed: of everything random.
    """
    if frames < 2 or size < 16:
        raise TwinError(f"frames must be at least 2 and size at least 16; received frames={frames}, size={size}")
    clean, rng = digits.load(), np.random.default_rng(seed)
    train, test = (
        _clips(part["x"][..., 0], frames, size, count, rng)
        for part, count in ((clean.train, train_count), (clean.test, test_count))
    )
    what = "one moving digit a clip"
    return Dataset(f"made here (seed {seed}) from real digits shipped in scikit-learn: {what}", train, test)


def _clips(images: np.ndarray, frames: int, size: int, count: int, rng: np.random.Generator) -> Arrays:
    motions = rng.integers(len(MOTIONS), size=count)
    clips = np.stack([_clip(images[rng.integers(len(images))], motion, frames, size, rng) for motion in motions])
    x = clips + 0.1 * rng.standard_normal(clips.shape)  # on a ground without grain, all ReLUs of a layer may shut
    return {"x": x.astype(np.float32)[..., None], "y": motions.astype(np.int32)}


def _clip(image: np.ndarray, motion: int, frames: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """(8, 8) ink to (frames, size, size), by where each pixel of each frame lies in the ink."""
    time = np.arange(frames) - (frames - 1) / 2  # 0 in the middle of the clip
    centre = size / 2 + rng.uniform(-2, 2, 2)[:, None] + np.zeros(frames)  # (2, frames)
    scale = np.full(frames, rng.uniform(1.2, 1.6))  # pixels that a pixel of the ink becomes
    angle = np.full(frames, rng.uniform(-0.3, 0.3))
    if motion < 4:
        centre = centre + rng.uniform(0.5, 1.0) * time * np.array(DIRECTIONS[motion])[:, None]
    elif motion < 6:
        scale = scale * rng.uniform(1.05, 1.1) ** (time if motion == 4 else -time)
    else:
        angle = angle + rng.uniform(0.1, 0.2) * (time if motion == 6 else -time)  # radians a frame
    pixels = (np.mgrid[:size, :size] + 0.5)[:, None] - centre[..., None, None]  # (2, frames, size, size)
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    turned = np.stack([cos * pixels[0] + sin * pixels[1], cos * pixels[1] - sin * pixels[0]])
    places = turned / scale[:, None, None] + 3.5
    return map_coordinates(image, places, order=1, mode="grid-constant")
