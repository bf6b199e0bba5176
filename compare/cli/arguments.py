"""What the commands' arguments mean: twins, engines, seeds, shapes, shares, lengths of time."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin import untrusted
from twin.catalogue import CHAPTERS, TWINS, find
from twin.errors import TwinError, unknown
from twin.spec import Twin

MOST_SEEDS = 1000
MOST_SEED = 2**32 - 1  # that Keras takes
MOST_SECONDS = 1e7  # four months; the system's calls take no length of time without end
MOST_VALUES, MOST_AXES = 2**28, 8  # of a made input: a GiB in float32


def select(
    names: list[str] | None,
    everything: bool,
    chapter: str | None,
    engine: list[str] | None,
    python: list[str] | None,
    device: str,
    on: str | None = None,
) -> tuple[list[Twin], list[Any]]:
    """The twins and the engines that the arguments name; the device need not be here if the cells go elsewhere.

    A command calls it before it imports what measures, so that what is typed wrongly is told at once.

    Raises:
        TwinError: for one that does not exist or is not installed, or a device that is not here.
    """
    from compare.engines import engine as engines

    if on is None:
        check_device(device)
    twins = choose(names, everything, chapter)
    return twins, engines.choose(engine or [], engines.parse_pythons(python or []))


def side_by_side(jobs: int | None, on: str | None) -> int:
    """How many engines compute at the same time.

    Raises:
        TwinError: when a number is asked for where the cluster decides.
    """
    if on and jobs:
        raise TwinError(f"--jobs {jobs}: with --on {on} the engines of a twin take turns, and twins go side by side")
    return 1 if on else jobs or os.cpu_count() or 1


def choose(names: list[str] | None, everything: bool, chapter: str | None) -> list[Twin]:
    """The twins that the arguments name, in the course's order."""
    if sum([bool(names), everything, chapter is not None]) != 1:
        raise TwinError("which twins? name some, or give --all or --chapter; see `twin list`")
    if everything:
        return list(TWINS.values())
    if chapter is not None:
        for each, twins in CHAPTERS.items():
            if chapter in (str(each.number), each.slug):
                return list(twins)
        raise unknown("chapter", chapter, [f"{each.number}" for each in CHAPTERS] + [c.slug for c in CHAPTERS])
    wanted = {find(name).name for name in names or []}
    return [twin for twin in TWINS.values() if twin.name in wanted]


def seeds(first: int | None, text: str) -> list[int]:
    """The seeds of `--seed` and `--seeds`: so many from the first on, or those of a list.

    Raises:
        TwinError: for what is neither, a seed that is named twice, or a list beside `--seed`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise TwinError(f"--seeds {text!r}: expected a number of seeds, such as 11, or a list of them, such as 3,5,8")
    numbers = [int(part) for part in parts]
    if len(numbers) == 1:
        if not 1 <= numbers[0] <= MOST_SEEDS:
            raise TwinError(
                f"--seeds {text}: expected 1 to {MOST_SEEDS} seeds; one seed of your choice is --seed {text}"
            )
        numbers = [(first or 0) + number for number in range(numbers[0])]
    elif first is not None:
        raise TwinError(f"--seed {first} and --seeds {text} clash: a list has its first seed in it; leave --seed out")
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise TwinError(f"--seeds {text}: {twice} is named twice; each seed is one pair, name it once")
    if max(numbers) > MOST_SEED:
        raise TwinError(f"seed {max(numbers)} is too large: Keras takes seeds below 2**32 = {2**32}")
    return numbers


def keras_engine(text: str) -> str:
    """The engine that runs the Keras side of a pair: by its name, or only its backend's.

    Raises:
        TwinError: for one that does not run Keras.
    """
    from compare.engines.engine import ENGINES, named

    name = named(text)
    name = "keras-torch" if name == "torch" else name
    known = [engine.name for engine in ENGINES.values() if engine.side == "keras"]
    if name not in known:
        raise unknown("Keras engine", text, known)
    return name


def json_object(option: str, text: str) -> dict[str, Any]:
    """An option that is a JSON object, such as the arguments of a callable."""
    try:
        found = untrusted.json_of(text)
    except untrusted.NoJson as error:
        raise TwinError(f"{option} {text}: {error}; expected a JSON object, such as '{{\"width\": 64}}'") from error
    if not isinstance(found, dict):
        raise TwinError(f"{option} {text}: expected a JSON object, such as '{{\"width\": 64}}'")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def shape(option: str, text: str) -> tuple[int, ...]:
    """An option that is a shape without the batch, such as 32,32,3."""
    parts = [part.strip() for part in text.strip("()[] ").removesuffix(",").split(",")]
    if not all(part.isascii() and part.isdigit() and part.strip("0") for part in parts):
        raise TwinError(f"{option} {text!r}: expected a shape without the batch, such as 32,32,3")
    if len(parts) > MOST_AXES or max(map(len, parts)) > 12 or math.prod(map(int, parts)) > MOST_VALUES:
        raise TwinError(f"{option} {text[:60]}: expected at most {MOST_AXES} axes and {MOST_VALUES:,} values in a row")
    return tuple(map(int, parts))


def share(option: str, text: str) -> float:
    """An option that is a share, such as 2% or 0.02."""
    number = text.strip().removesuffix("%")
    try:
        found = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        found = math.nan
    if not 0 < found < 1:
        raise TwinError(f"{option} {text}: expected a share above 0 and below 1, such as 2% or 0.02")
    return found


def seconds(option: str, text: str) -> float:
    """An option that is a length of time, such as 90s, 10m or 1h; a bare number is seconds."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text.strip()[-1:], 0)
    try:
        found = float(text.strip()[:-1]) * unit if unit else float(text)
    except ValueError:
        found = math.nan
    if not 0 < found <= MOST_SECONDS:
        raise TwinError(
            f"{option} {text}: expected a length of time above 0 and up to {MOST_SECONDS:.0f} s, such as 90s, 10m or 1h"
        )
    return found


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """Options that name a layer on either side: KERAS=TORCH.

    Raises:
        TwinError: for another form, or a layer that is named twice.
    """
    out: dict[str, str] = {}
    for text in texts:
        keras, equals, torch = text.partition("=")
        if not equals or not keras or not torch:
            raise TwinError(f"--map {text!r}: expected KERAS_LAYER=TORCH_LAYER")
        if keras in out or torch in out.values():
            twice = keras if keras in out else torch
            raise TwinError(f"--map {text}: {twice} is named twice; a layer has one counterpart")
        out[keras] = torch
    return out


def make_folder(folder: Path, option: str) -> None:
    """See that the folder of an option exists."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TwinError(f"{option} {folder}: {error.strerror}; choose a folder that can be written") from error


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have."""
    if device == "cuda" and not any(Path("/dev").glob("nvidia[0-9]*")):
        raise TwinError("--device cuda: this machine has no NVIDIA device; use --device cpu")
