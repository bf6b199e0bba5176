"""Space-time maps of a pulse: the colours of a few regions of a face over time, under changing light; drawn here.

No recording that may be shipped has a face and a pulse, so the pulse is drawn: a systolic and a dicrotic wave for each
beat, beats that come faster as one breathes in, skin that shows them faintly and most in green, light that drifts, and
the camera's noise. Who has heartpy can have the real pulses of a finger under the same light: its three recordings are
under the GPL, and are read where they are installed, never copied.
"""

import importlib.util
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from twin.data import Arrays, Dataset
from twin.errors import TwinError

RATE = 30.0  # frames a second
SAMPLES = 60.0  # a second, of a recording
TRIES = 1000  # to find a clean stretch
RECORDINGS = ("data.csv", "data2.csv", "data3.csv")  # of heartpy 1.2.7: 25, 128 and 682 seconds
SLOWEST, FASTEST = 45.0, 150.0  # beats a minute
COLOURS = (0.4, 1.0, 0.6)  # how strongly red, green and blue show a beat


def load(
    regions: int = 8,
    frames: int = 128,
    train_count: int = 1500,
    test_count: int = 400,
    seed: int = 0,
    recorded: bool = False,
) -> Dataset:
    """Maps `x` (N, regions, frames, 3), each row and colour scaled to [0, 1], and the beats a second `y` (N, 1).

    Args:
        regions: of the face; a row of the map each.
        frames: at 30 a second, at least 64.
        train_count: number of train maps.
        test_count: number of test maps.
        seed: of everything random.
        recorded: whether the pulses are those of heartpy's recordings, at other speeds: train maps from the first 70%
            of each, test maps from the rest.
    """
    if regions < 1 or frames < 64:
        raise TwinError(f"regions must be at least 1 and frames at least 64; received {regions=}, {frames=}")
    rng = np.random.default_rng(seed)
    counts = train_count, test_count
    if recorded:
        pulses = [stretches(waves, frames, count, rng) for waves, count in zip(recordings(), counts, strict=True)]
        what = f"made here (seed {seed}): space-time maps of real pulses, read from heartpy's recordings (GPL)"
        return Dataset(what, *(_maps(*pulse, regions, rng) for pulse in pulses))
    train, test = (_maps(*beats(frames, count, rng), regions, rng) for count in counts)
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


def recordings(train_share: float = 0.7) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The beginnings and the ends of heartpy's recordings, each at SAMPLES a second.

    Raises:
        TwinError: when heartpy is not installed, or its files are others.
    """
    found = importlib.util.find_spec("heartpy")  # which is not imported: it brings a program that draws
    if found is None or found.origin is None:
        raise TwinError("recorded=True reads heartpy's recordings: pip install --no-deps heartpy, or leave it out")
    waves = [_read(Path(found.origin).parent / "data" / name) for name in RECORDINGS]
    cuts = [int(train_share * len(wave)) for wave in waves]
    return (
        [wave[:cut] for wave, cut in zip(waves, cuts, strict=True)],
        [wave[cut:] for wave, cut in zip(waves, cuts, strict=True)],
    )


def stretches(
    waves: Sequence[np.ndarray], frames: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of recordings as `beats` gives drawn ones: played so fast that the rate is the one that was wanted.

    Args:
        waves: recordings at SAMPLES a second.
        frames: of a stretch.
        count: how many.
        rng: which stretches, and how fast.

    Returns:
        Pulses (count, frames) of deviation 1, and the beats a second (count, 1), counted in the recording.

    Raises:
        TwinError: when no recording has so long a stretch without a beat that was missed.
    """
    found = [beats_of(wave) for wave in waves]
    numbers = np.array([len(each) for each in found])
    pulses, rates = np.zeros((count, frames)), np.zeros((count, 1))
    for row in range(count):
        rates[row] = rng.uniform(SLOWEST, FASTEST) / 60
        wanted = float(rates[row, 0]) * frames / RATE  # beats
        for _ in range(TRIES):
            index = rng.choice(len(waves), p=numbers / numbers.sum())
            places = found[index]
            first = rng.uniform(0, max(len(places) - 2 - wanted, 0))
            within = places[int(first) : int(first + wanted) + 2]
            steps = np.diff(within)
            if first + wanted < len(places) - 1 and np.abs(steps / np.median(steps) - 1).max() < 0.3:
                break  # no beat was missed, and none seen where there is none
        else:
            raise TwinError(f"heartpy's recordings have no clean stretch of {wanted:.0f} beats; received {frames=}")
        start, stop = np.interp([first, first + wanted], np.arange(len(places)), places)
        pulse = np.interp(np.linspace(start, stop, frames, endpoint=False), np.arange(len(waves[index])), waves[index])
        pulses[row] = (pulse - pulse.mean()) / pulse.std()
    return pulses, rates


def beats_of(wave: np.ndarray) -> np.ndarray:
    """Where the beats of a recording are: its highest places, of those nearer than 0.6 of its period the higher."""
    from scipy import signal  # half a second, for who has recordings

    band = signal.butter(2, (0.7, 3.0), "bandpass", fs=SAMPLES, output="sos")
    smooth = signal.sosfiltfilt(band, wave)
    likeness = signal.fftconvolve(smooth, smooth[::-1])[len(smooth) - 1 :]
    lags = np.arange(int(0.4 * SAMPLES), int(1.5 * SAMPLES))  # 40 to 150 beats a minute
    period = lags[likeness[lags].argmax()]
    return signal.find_peaks(smooth, distance=int(0.6 * period), prominence=0.3 * np.median(np.abs(smooth)))[0]


def _read(file: Path) -> np.ndarray:
    """A recording of heartpy's, at SAMPLES a second: values with milliseconds or dates before them, or 100 a second."""
    try:
        lines = [line.split(",") for line in file.read_text().splitlines()]
        named = lines[0][-1] == "hr"
        values = np.array([float(line[-1]) for line in lines[named:]])
        if lines[0][0] == "datetime":
            times = np.array([datetime.fromisoformat(line[0]).timestamp() for line in lines[1:]])
        else:
            times = np.array([float(line[0]) for line in lines[1:]]) / 1000 if named else np.arange(len(values)) / 100
    except (OSError, ValueError, IndexError) as error:
        raise TwinError(f"{file} is no recording as heartpy 1.2.7 has it: {error}") from error
    return np.interp(np.arange(times[0], times[-1], 1 / SAMPLES), times, values)


def _maps(pulse: np.ndarray, rate: np.ndarray, regions: int, rng: np.random.Generator) -> Arrays:
    count, frames = pulse.shape
    gain = rng.uniform(0.2, 1.0, (count, regions, 1, 1)) * np.array(COLOURS)
    light = np.cumsum(0.3 * rng.standard_normal((count, 1, frames, 3)), axis=2)  # the same for all regions
    shade = np.cumsum(0.1 * rng.standard_normal((count, regions, frames, 3)), axis=2)
    noise = 0.5 * rng.standard_normal((count, regions, frames, 3))
    x = gain * pulse[:, None, :, None] + light + shade + noise
    low, high = x.min(2, keepdims=True), x.max(2, keepdims=True)
    return {"x": ((x - low) / (high - low)).astype(np.float32), "y": rate.astype(np.float32)}
