"""Drawn stick figures on a textured ground, with the places of their thirteen joints.

No pictures of people with their joints may be shipped, so the figures are drawn: limbs of a random figure's proportions
at angles that a body can take, seen from the front, leaning to either side.
"""

import numpy as np

from twin.data import Arrays, Dataset
from twin.data.scenes import finish, ground
from twin.errors import TwinError

JOINTS = (
    "head", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist",
    "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle",
)  # fmt: skip
# From which joint to which a line is drawn: shoulders, arms, hips, legs and both sides of the torso.
LIMBS = ((1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (7, 8), (7, 9), (9, 11), (8, 10), (10, 12), (1, 7), (2, 8))
LEFT_SHOULDER, RIGHT_HIP = 1, 8
MARGIN = 2  # pixels that every joint keeps from the picture's sides


def load(size: int = 32, train_count: int = 4000, test_count: int = 400, seed: int = 0) -> Dataset:
    """Pictures `x` (N, size, size, 1) in [0, 1], and the joints' places `y` (N, 26) as JOINTS has them.

    A place is two numbers, to the right and down, from the picture's middle, as shares of its side.

    Args:
        size: height and width, a multiple of 8 and at least 24.
        train_count: number of train pictures.
        test_count: number of test pictures.
        seed: of everything random.
    """
    if size % 8 or size < 24:
        raise TwinError(f"size must be a multiple of 8 and at least 24; received {size}")
    random = np.random.default_rng(seed)
    train, test = (_pictures(size, count, random) for count in (train_count, test_count))
    return Dataset(f"made here (seed {seed}): drawn stick figures of 13 joints on a textured ground", train, test)


def torso(places: np.ndarray) -> np.ndarray:
    """From the left shoulder to the right hip, the length (N,) that errors of a pose (N, 26) are measured by."""
    joints = places.reshape(len(places), -1, 2)
    return np.linalg.norm(joints[:, LEFT_SHOULDER] - joints[:, RIGHT_HIP], axis=-1)


def _pictures(size: int, count: int, random: np.random.Generator) -> Arrays:
    pictures, places = [], []
    for _ in range(count):
        joints = _figure(random)
        joints = joints - (joints.min(0) + joints.max(0)) / 2
        room = (size - 2 * MARGIN) / np.ptp(joints, axis=0).max()
        joints = joints * room * random.uniform(0.8, 1.0)
        free = (size - 2 * MARGIN - np.ptp(joints, axis=0)) / 2
        joints = joints + size / 2 + random.uniform(-1, 1, 2) * free  # pixels to the right and down
        pictures.append(_drawn(ground(size, random), joints, random))
        places.append((joints / size - 0.5).reshape(-1))
    return {"x": finish(pictures, random), "y": np.stack(places).astype(np.float32)}


def _figure(random: np.random.Generator) -> np.ndarray:
    """The joints (13, 2) of one figure, to the right and down; a torso is 1 long, and 0 is between the hips."""
    lean = random.normal(0, 0.15)
    hips, shoulders = random.uniform(0.15, 0.25), random.uniform(0.25, 0.35)  # half of the width
    up = np.array([np.sin(lean), -np.cos(lean)])
    across = np.array([-up[1], up[0]])
    joints = np.zeros((len(JOINTS), 2))
    joints[0] = up + 0.4 * _towards(lean + random.normal(0, 0.2), upwards=True)
    for side, sign in ((0, 1), (1, -1)):  # a figure that faces us has its left at our right
        joints[1 + side] = up + sign * shoulders * across
        joints[7 + side] = sign * hips * across
        upper = sign * random.uniform(-0.1, 2.4)  # from hanging down to above the shoulder
        joints[3 + side] = joints[1 + side] + 0.5 * _towards(upper)
        joints[5 + side] = joints[3 + side] + 0.5 * _towards(
            upper + sign * random.uniform(0, 2.2)
        )  # elbows bend one way
        thigh = sign * random.uniform(-0.1, 0.9)
        joints[9 + side] = joints[7 + side] + 0.6 * _towards(thigh)
        joints[11 + side] = joints[9 + side] + 0.6 * _towards(thigh - sign * random.uniform(0, 0.9))  # and knees
    return joints


def _towards(angle: float, upwards: bool = False) -> np.ndarray:
    """One unit down, or up, turned by so much towards our right."""
    return np.array([np.sin(angle), -np.cos(angle) if upwards else np.cos(angle)])


def _drawn(picture: np.ndarray, joints: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Limbs of a pixel's width, left ones brighter than right ones, and a disc for the head."""
    start, stop = np.array(LIMBS).T
    limbs = joints[stop] - joints[start]  # (12, 2)
    middles = np.arange(len(picture)) + 0.5
    across, down = ((middles[:, None] - joints[start, axis]) for axis in (0, 1))  # (size, 12), from where limbs start
    along = across * limbs[:, 0] + (down * limbs[:, 1])[:, None]  # (size, size, 12): rows, columns, limbs
    along = (along / (limbs**2).sum(-1).clip(1e-9)).clip(0, 1)
    distance = np.hypot(across - along * limbs[:, 0], down[:, None] - along * limbs[:, 1])
    shade = np.where(stop % 2, 1.0, 0.6)  # the left is told from the right by its shade alone
    ink = (shade * (1.3 - distance).clip(0, 1)).max(-1)  # (size, size)
    head = 0.18 * np.linalg.norm(joints[1] - joints[2])
    ink = np.maximum(ink, (head + 0.5 - np.hypot(middles - joints[0, 0], (middles - joints[0, 1])[:, None])).clip(0, 1))
    return picture + ink * (random.uniform(0.85, 1.0) - picture)
