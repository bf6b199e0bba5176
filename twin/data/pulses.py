"""Space-time maps of a pulse: the colours of a few regions of a face over time, under changing light; drawn here.

No recording that may be shipped has a face and a pulse, so the pulse is drawn: a systolic and a dicrotic wave for each
beat, beats that come faster as one breathes in, skin that shows them faintly and most in green, light that drifts, and
the camera's noise.
"""

import numpy as np

from twin.data import Arrays, Dataset
from twin.errors import TwinError

RATE = 30.0  # frames a second
SLOWEST, FASTEST = 45.0, 150.0  # beats a minute
COLOURS = (0.4, 1.0, 0.6)  # how strongly red, green and blue show a beat


def load(regions: int = 8, frames: int = 128, train_count: int = 1500, test_count: int = 400, seed: int = 0) -> Dataset:
    """Maps `x` (N, regions, frames, 3), each row and colour scaled to [0, 1], and the beats a second `y` (N, 1).

    Args:
        regions: of the face; a row of the map each.
        frames: at 30 a second, at least 64.
        train_count: number of train maps.
        test_count: number of test maps.
        seed: of everything random.
    """
    if regions < 1 or frames < 64:
        raise TwinError(f"regions must be at least 1 and frames at least 64; received {regions=}, {frames=}")
    rng = np.random.default_rng(seed)
    train, test = (_maps(regions, frames, count, rng) for count in (train_count, test_count))
    return Dataset(f"made here (seed {seed}): space-time maps of a drawn pulse", train, test)


def beats(frames: int, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Clean pulses (count, frames) of deviation 1, and their beats a second (count, 1), the mean over the frames."""
    time = np.arange(frames) / RATE
    rate = rng.uniform(SLOWEST, FASTEST, (count, 1)) / 60
    breath = rng.uniform(0.2, 0.35, (count, 1)) * time + rng.uniform(0, 1, (count, 1))
    now = rate * (1 + 0.05 * np.sin(2 * np.pi * breath))
    phase = np.cumsum(now, axis=1) / RATE + rng.uniform(0, 1, (count, 1))
    within = phase % 1
    pulse = np.exp(-(((within - 0.3) / 0.1) ** 2) / 2) + 0.4 * np.exp(-(((within - 0.65) / 0.12) ** 2) / 2)
    pulse -= pulse.mean(1, keepdims=True)
    return pulse / pulse.std(1, keepdims=True), now.mean(1, keepdims=True)


def _maps(regions: int, frames: int, count: int, rng: np.random.Generator) -> Arrays:
    pulse, rate = beats(frames, count, rng)
    gain = rng.uniform(0.2, 1.0, (count, regions, 1, 1)) * np.array(COLOURS)
    light = np.cumsum(0.3 * rng.standard_normal((count, 1, frames, 3)), axis=2)  # the same for all regions
    shade = np.cumsum(0.1 * rng.standard_normal((count, regions, frames, 3)), axis=2)
    noise = 0.5 * rng.standard_normal((count, regions, frames, 3))
    x = gain * pulse[:, None, :, None] + light + shade + noise
    low, high = x.min(2, keepdims=True), x.max(2, keepdims=True)
    return {"x": ((x - low) / (high - low)).astype(np.float32), "y": rate.astype(np.float32)}
