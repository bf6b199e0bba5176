"""The arithmetic of agreement."""

import numpy as np
import pytest

from twin.numeric import HALF_ULP, distance, noise_floor, perturbed_by_one_ulp


def test_distance_is_relative_and_says_where():
    far = distance("x", np.array([1.0, 2.5]), np.array([1.0, 2.0]), limit=0.1)
    assert far.rel_l2 == pytest.approx(0.5 / np.sqrt(5))
    assert (far.index, far.got, far.wanted, far.ok) == ((1,), 2.5, 2.0, False)


def test_distance_counts_in_units_of_noise():
    wanted = np.ones(100)
    far = distance("x", wanted + 1e-6, wanted, limit=1.0, noise=1e-7)
    assert far.noise_ratio == pytest.approx(10, rel=1e-6)
    assert distance("x", wanted + 1e-9, wanted, limit=1.0, noise=0.0).noise_ratio == pytest.approx(1e-9 / HALF_ULP)


def test_a_nan_never_passes():
    assert not distance("x", np.array([np.nan, 1.0]), np.ones(2), limit=1e9, noise=1.0, noise_limit=1e9).ok


def test_shapes_must_be_equal():
    with pytest.raises(ValueError, match="shape"):
        distance("x", np.ones(3), np.ones((3, 1)), limit=1.0)


def test_an_ulp_is_the_smallest_move():
    values = np.array([1.0, -2.0, 0.0], np.float32)
    moved = perturbed_by_one_ulp(values, np.random.default_rng(0))
    assert (moved != values).all()
    assert np.allclose(moved, values, rtol=2**-22, atol=1e-40)
    assert perturbed_by_one_ulp(np.array([3]), np.random.default_rng(0))[0] == 3


def test_noise_floor_is_the_root_mean_square_over_draws_of_a_large_tensor():
    wanted = np.zeros(400_000)
    assert noise_floor([wanted + 3.0, wanted + 4.0], wanted) == pytest.approx(np.sqrt(12.5), rel=0.01)


def test_noise_floor_of_a_scalar_is_seldom_exceeded_by_the_noise():
    rng = np.random.default_rng(0)
    floors = [noise_floor(list(rng.standard_normal((5, 1))), np.zeros(1)) for _ in range(3000)]
    assert 0 < np.mean(np.array(floors) < 1.0) < 0.004  # one in a thousand is meant
    assert np.median(floors) < 6  # and it is no blank cheque
