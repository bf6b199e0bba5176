"""KITTI folders: the points that a lidar on a car saw, and the road users among them, as twin.data.sweeps has them.

    kitti/training/velodyne/000000.bin   kitti/training/label_2/000000.txt   kitti/training/calib/000000.txt

Geiger, Lenz and Urtasun, "Are we ready for autonomous driving? The KITTI vision benchmark suite" (2012). A sweep is
four float32 for each point: metres along, across and up from the sensor, and how bright it was. Labels are boxes as
the camera sees them; the calibration says how the sensor's axes turn into the camera's.
"""

from pathlib import Path

import numpy as np

from twin import untrusted
from twin.data import Arrays, Dataset, split
from twin.data.sweeps import FEWEST, KINDS
from twin.errors import TwinError

NAMES = {"Car": "car", "Pedestrian": "pedestrian", "Cyclist": "cyclist"}  # other labels are left out
MOST = 64 * 2**20  # bytes of a sweep; the benchmark's have about 2 MiB
FIELDS = 15  # of a label; a result has a score behind them


def load(root: str, points: int = 64, count: int | None = None, test_share: float = 0.2, seed: int = 0) -> Dataset:
    """Clusters `x` (N, points, 3), metres along, across and up from their centre, and what they are, `y` (N,).

    A cluster is what a sweep has within the box of a car, a pedestrian or a cyclist. From each as many points are
    drawn, again and again where it has fewer; road users of whom fewer than 8 points are seen are left out. Sweeps are
    divided into train and test part, so that no road user is in both.

    Args:
        root: the folder that holds `velodyne`, `label_2` and `calib`, such as kitti/training.
        points: of a cluster.
        count: sweeps that are read, chosen by the seed; None for all.
        test_share: how many of the sweeps are for testing.
        seed: of the choice, of the division, and of the points that are drawn.

    Raises:
        TwinError: for files that are missing or damaged, and for a part without a road user.
    """
    if points < 1 or not 0 < test_share < 1:
        raise TwinError(
            f"expected at least 1 of points and a test_share between 0 and 1; received points={points}, "
            f"test_share={test_share}"
        )
    folder = Path(root)
    names = sorted(path.stem for path in (folder / "label_2").glob("*.txt"))
    if not names or not 1 <= (len(names) if count is None else count) <= len(names):
        wanted = "at least one, such as 000000.txt" if not names else f"count from 1 to that; received {count}"
        raise TwinError(f"{folder / 'label_2'}: has {len(names)} labels; expected {wanted}")
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(names))[:count]
    train, test = split({"sweep": chosen}, test_share, seed)
    parts = [_clusters(folder, [names[row] for row in part["sweep"]], points, random) for part in (train, test)]
    what = f"{len(chosen)} sweeps with {len(parts[0]['y']) + len(parts[1]['y'])} road users"
    return Dataset(f"real, copied by the user to {root}: {what}", *parts)


def sweep(path: Path) -> np.ndarray:
    """The points (N, 3) of a `.bin` file, in metres.

    Raises:
        TwinError: when it is missing, too large, no whole number of points, or not finite.
    """
    try:
        size = path.stat().st_size
        if size > MOST or size % 16:
            raise TwinError(f"{path}: has {size} bytes; expected four float32 for each point, at most {MOST >> 20} MiB")
        points = np.fromfile(path, "<f4").reshape(-1, 4)
    except OSError as error:
        raise TwinError(f"cannot read {path}: {error.strerror}; expected a sweep of points") from error
    if not np.isfinite(points).all():
        raise TwinError(f"{path}: point {int(np.argwhere(~np.isfinite(points))[0, 0])} is not finite")
    return points[:, :3].astype(float)


def calibration(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """How a point of the sensor becomes one of the rectified camera: a matrix (3, 3) to multiply by, and what is added.

    Raises:
        TwinError: when it is missing, or lacks one of the two matrices.
    """
    found = {}
    for line in untrusted.text(path, "a calibration with R0_rect and Tr_velo_to_cam").splitlines():
        name, _, numbers = line.partition(":")
        found[name.strip()] = numbers
    rectify = _floats(found.get("R0_rect", ""), 9, path, "R0_rect").reshape(3, 3)
    move = _floats(found.get("Tr_velo_to_cam", ""), 12, path, "Tr_velo_to_cam").reshape(3, 4)
    return rectify @ move[:, :3], rectify @ move[:, 3]


def labels(path: Path) -> list[tuple[str, np.ndarray]]:
    """The road users of a sweep: what each is, and height, width, length, place (3) and turn of its box (7,).

    Raises:
        TwinError: one line that names the line that is wrong.
    """
    out = []
    for number, line in enumerate(untrusted.text(path, "labels, one a line").splitlines(), start=1):
        name, *numbers = line.split() or [""]
        if not name:
            continue
        if len(numbers) not in (FIELDS - 1, FIELDS):
            raise TwinError(f"{path}, line {number}: has {1 + len(numbers)} fields; expected {FIELDS}")
        box = _floats(" ".join(numbers[7:14]), 7, path, f"line {number}")
        if name not in NAMES:
            continue
        if box[:3].min() <= 0:
            raise TwinError(f"{path}, line {number}: its box is {box[:3].tolist()} m; expected sides above 0")
        out.append((NAMES[name], box))
    return out


def within(points: np.ndarray, box: np.ndarray, turn: np.ndarray, add: np.ndarray) -> np.ndarray:
    """Which points (N, 3) of a sensor lie in a box of the camera's.

    The box stands on its place, which is in the middle of its underside; the camera's axes go right, down and ahead.

    Args:
        points: in the sensor's axes.
        box: as `labels` has it.
        turn, add: as `calibration` has them.
    """
    height, width, length, *place, angle = box
    right, down, ahead = (points @ turn.T + add - place).T
    along = np.cos(angle) * right - np.sin(angle) * ahead
    across = np.sin(angle) * right + np.cos(angle) * ahead
    return (abs(along) <= length / 2) & (abs(across) <= width / 2) & (down <= 0) & (down >= -height)


def _clusters(folder: Path, names: list[str], points: int, random: np.random.Generator) -> Arrays:
    rows, kinds = [], []
    for name in names:
        users = labels(folder / "label_2" / f"{name}.txt")
        if not users:
            continue
        cloud = sweep(folder / "velodyne" / f"{name}.bin")
        turn, add = calibration(folder / "calib" / f"{name}.txt")
        for kind, box in users:
            seen = cloud[within(cloud, box, turn, add)]
            if len(seen) < FEWEST:
                continue
            drawn = seen[random.choice(len(seen), points, replace=len(seen) < points)]
            rows.append(drawn - seen.mean(0))
            kinds.append(KINDS.index(kind))
    if not rows:
        raise TwinError(
            f"{folder}: of its {len(names)} sweeps none has a {', '.join(NAMES)} with {FEWEST} points or more; give it "
            "more sweeps"
        )
    return {"x": np.stack(rows).astype(np.float32), "y": np.array(kinds, np.int32)}


def _floats(words: str, count: int, path: Path, name: str) -> np.ndarray:
    try:
        numbers = np.array([float(word) for word in words.split()])
    except ValueError:
        numbers = np.array([np.nan])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise TwinError(f"{path}: {name} is {' '.join(words.split())[:80]!r}; expected {count} finite numbers")
    return numbers
