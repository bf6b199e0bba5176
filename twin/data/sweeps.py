"""What a lidar sees of a road user: cars, pedestrians and cyclists as boxes, hit by 32 beams, with noise.

The sensor turns 1.7 m above the road; its beams leave between 25 degrees below and 5 above the horizon, every 0.4
degrees around. A point is where a beam first meets one of the boxes, 2 cm right or wrong in its distance. Each picture
is one cluster: one road user, already cut out of the sweep, as the points on the road are easily told by their height.
"""

import numpy as np

from twin.data import Arrays, Dataset
from twin.errors import TwinError

KINDS = ("car", "pedestrian", "cyclist")
# Boxes of each kind: length, width, height, and how far its underside is above the road, in metres.
BOXES = {
    "car": ((4.2, 1.8, 0.8, 0.2), (2.2, 1.6, 0.55, 1.0)),
    "pedestrian": ((0.35, 0.55, 0.85, 0.0), (0.45, 0.6, 0.85, 0.85)),
    "cyclist": ((1.75, 0.35, 0.95, 0.0), (0.5, 0.5, 0.85, 0.9)),
}
HEIGHT, NOISE = 1.7, 0.02  # of the sensor, and of a distance, in metres
ELEVATIONS = np.radians(np.linspace(-25, 5, 32))
STEP = np.radians(0.4)
NEAREST, FARTHEST, FEWEST = 5.0, 25.0, 8  # metres of a road user's distance; points of which a kind can be told


def load(points: int = 64, train_count: int = 1200, test_count: int = 300, seed: int = 0) -> Dataset:
    """Clusters `x` (N, points, 3), metres along, across and up from their centre, and what they are, `y` (N,).

    Every kind comes at any distance from 5 to 25 m, in any direction, a tenth larger or smaller. From each cluster as
    many points are drawn, again and again where it has fewer; road users of whom fewer than 8 points are seen are left
    out.

    Args:
        points: of a cluster.
        train_count, test_count: how many clusters.
        seed: of the road users and of the noise.

    Raises:
        TwinError: no point is asked for.
    """
    if points < 1:
        raise TwinError(f"points must be at least 1; received {points}")
    random = np.random.default_rng(seed)
    train, test = (_clusters(points, count, random) for count in (train_count, test_count))
    return Dataset(f"made here (seed {seed}): road users as boxes, seen by a lidar of 32 beams", train, test)


def cast(
    kind: str, place: tuple[float, float], heading: float, scale: float, random: np.random.Generator
) -> np.ndarray:
    """The points (N, 3) that the sensor, at the origin, sees of one road user; up is counted from the road.

    Args:
        kind: one of `KINDS`.
        place: of the middle, along and across, in metres.
        heading: of the road user, in radians.
        scale: of all its sides.
        random: of the noise.
    """
    towards = np.arctan2(place[1], place[0])
    reach = np.arctan2(3.0, np.hypot(*place))
    around = np.arange(towards - reach, towards + reach, STEP)
    azimuth, elevation = (each.ravel() for each in np.meshgrid(around, ELEVATIONS))
    beams = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1)
    turned = np.array([[np.cos(heading), -np.sin(heading), 0], [np.sin(heading), np.cos(heading), 0], [0, 0, 1]])
    distance = np.full(len(beams), np.inf)
    for length, width, height, above in BOXES[kind]:
        middle = np.array([*place, scale * (above + height / 2)])
        half = scale * np.array([length, width, height]) / 2
        start, direction = (np.array([0, 0, HEIGHT]) - middle) @ turned, beams @ turned  # in the box's own axes
        with np.errstate(divide="ignore"):
            one, other = (-half - start) / direction, (half - start) / direction
        enters, leaves = np.minimum(one, other).max(1), np.maximum(one, other).min(1)
        distance = np.where((enters <= leaves) & (enters > 0), np.minimum(distance, enters), distance)
    seen = np.isfinite(distance)
    noisy = distance[seen] + NOISE * random.standard_normal(int(seen.sum()))
    return noisy[:, None] * beams[seen] + np.array([0, 0, HEIGHT])


def collision(before: np.ndarray, after: np.ndarray, interval: float) -> tuple[float, np.ndarray]:
    """When and where a road user meets the sensor's car if both go on as they do.

    Args:
        before, after: its points (N, 3) in two sweeps, seen from the car.
        interval: seconds between them.

    Returns:
        Seconds after the second sweep, infinite if it does not come nearer; and its place (2,) then, or at the second
        sweep if they never meet.

    Raises:
        TwinError: a cluster without a point, or sweeps that are not one after the other.
    """
    if min(len(before), len(after)) == 0 or interval <= 0:
        raise TwinError(
            f"a collision takes points in both sweeps and an interval above 0; received {len(before)} and "
            f"{len(after)} points, interval {interval}"
        )
    # The nearest points stand still on the object's body where its visible part, and so its mean, would wander.
    places = [
        points[np.argsort(np.linalg.norm(points[:, :2], axis=1))[:FEWEST], :2].mean(0) for points in (before, after)
    ]
    velocity = (places[1] - places[0]) / interval
    gap = float(np.linalg.norm(places[1]))
    closing = -float(velocity @ places[1]) / gap
    if closing <= 0:
        return float("inf"), places[1]
    seconds = gap / closing
    return seconds, places[1] + seconds * velocity


def _clusters(points: int, count: int, random: np.random.Generator) -> Arrays:
    rows: list[np.ndarray] = []
    kinds: list[int] = []
    while len(rows) < count:
        kind = int(random.integers(len(KINDS)))
        distance, angle = random.uniform(NEAREST, FARTHEST), random.uniform(-np.pi, np.pi)
        place = (distance * np.cos(angle), distance * np.sin(angle))
        seen = cast(KINDS[kind], place, random.uniform(-np.pi, np.pi), random.uniform(0.9, 1.1), random)
        if len(seen) < FEWEST:
            continue
        drawn = seen[random.choice(len(seen), points, replace=len(seen) < points)]
        rows.append(drawn - seen.mean(0))
        kinds.append(kind)
    return {"x": np.stack(rows).astype(np.float32), "y": np.array(kinds, np.int32)}
