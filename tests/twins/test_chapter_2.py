"""Chapter 2: edges, lines and corners, held against scikit-image."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage
from skimage import feature, filters

from tests.helpers.exercises import outputs
from torch_impl import train
from twin.batches import exercise_inputs
from twin.catalogue import find
from twin.data import learned_filters


@cache
def photograph():
    return learned_filters.load().test["image"].astype(np.float64)


def test_edges_are_those_of_scikit_image():
    image, out = photograph(), outputs("edge_filters")
    np.testing.assert_allclose(out["laplace"], filters.laplace(image), atol=1e-14)
    np.testing.assert_allclose(out["sobel_down"], ndimage.sobel(image, 0), atol=1e-14)
    np.testing.assert_allclose(out["sobel_along"], ndimage.sobel(image, 1), atol=1e-14)
    inner = np.s_[1:-1, 1:-1]
    both = np.hypot(out["sobel_down"], out["sobel_along"])[inner]
    np.testing.assert_allclose(filters.sobel(image)[inner] * 4 * np.sqrt(2), both, atol=1e-13)
    np.testing.assert_allclose(out["harris"], feature.corner_harris(image, k=0.05, sigma=1), atol=1e-13)


def test_lines_are_those_of_scikit_images_canny():
    wanted = feature.canny(photograph(), sigma=1.5, low_threshold=0.3, high_threshold=0.7)
    np.testing.assert_array_equal(outputs("edge_filters")["canny"], wanted)
    assert 500 < wanted.sum() < 2000


@pytest.mark.parametrize("seed", range(3))
def test_rounding_decides_nothing_in_canny(seed):
    # A hundred times the rounding of float32.
    given = exercise_inputs(find("edge_filters"))
    noise = np.random.default_rng(seed).uniform(-1e-5, 1e-5, given["image"].shape)
    moved = train.exercise(find("edge_filters"), given | {"image": given["image"] + noise}, "float64")
    np.testing.assert_array_equal(moved["canny"], outputs("edge_filters")["canny"])


def test_harris_finds_the_corners_of_a_square():
    square = np.zeros((40, 40), np.float32)
    square[10:30, 10:30] = 1
    given = exercise_inputs(find("edge_filters")) | {"image": square}
    strength = train.exercise(find("edge_filters"), given, "float64")["harris"]
    peaks = {
        tuple(place) for place in np.argwhere((strength == ndimage.maximum_filter(strength, 9)) & (strength > 0.1))
    }
    assert peaks == {(10, 10), (10, 29), (29, 10), (29, 29)}
    assert strength[20, 10] < 0  # an edge
    assert abs(strength[20, 20]) < 1e-12  # nothing


def test_learned_kernels_are_more_like_the_known_ones_than_chance():
    shares = outputs("edge_filters")["shares"]
    assert shares.shape == (4, 16)
    drawn = np.random.default_rng(0).standard_normal((9, 10_000))
    known = [np.ones((3, 3)), [[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]
    known = np.array([*known, [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]]).reshape(4, 9)
    known = known / np.linalg.norm(known, axis=1, keepdims=True)
    np.testing.assert_allclose(known @ known.T, np.eye(4), atol=1e-15)  # so that shares add up
    chance = ((known @ drawn) ** 2 / (drawn**2).sum(0)).sum(0)
    np.testing.assert_allclose(chance.mean(), 4 / 9, atol=0.01)
    assert shares.sum(0).mean() > 0.55
    assert shares.max() <= 1
