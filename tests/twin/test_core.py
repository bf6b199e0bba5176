"""The core and the command line import no framework; the arithmetic of agreement; data and catalogue."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from twin import arrays, data
from twin.catalogue import CHAPTERS, TWINS, find
from twin.data import motions
from twin.errors import TwinError
from twin.numeric import HALF_ULP, distance, moved_by_an_ulp, noise_floor

BLOCKED = """
import sys, pkgutil, importlib
for name in ("keras", "torch", "tensorflow", "jax"):
    sys.modules[name] = None
import twin
import compare
for package in (twin, compare):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def test_core_and_harness_import_no_framework():
    answer = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr


def test_implementations_never_import_each_other():
    root = Path(__file__).parents[2]
    for side, other in (("keras", "torch"), ("torch", "keras")):
        for path in (root / f"{side}_impl").rglob("*.py"):
            assert f"{other}_impl import" not in path.read_text()
            assert f"import {other}_impl" not in path.read_text()


def test_names_are_unique_and_chapters_in_order():
    names = [twin.name for twins in CHAPTERS.values() for twin in twins]
    assert len(names) == len(set(names)) == len(TWINS)
    numbers = [chapter.number for chapter in CHAPTERS]
    assert numbers == sorted(numbers)


def test_a_departure_states_its_reason(twin):
    for difference in twin.differences:
        assert len(difference.reason) > 20
    for tolerance in twin.tolerances.values():
        assert len(tolerance.reason) > 20


def test_a_model_declares_what_it_must_reach(twin):
    if twin.kind == "model":
        assert twin.metric is not None
        assert twin.metric.goal != twin.metric.chance
        assert twin.small.parameters > 0


@pytest.mark.parametrize("name", [twin.name for twin in TWINS.values() if twin.data])
def test_data_has_provenance_and_two_parts(name):
    twin = find(name)
    dataset = data.load(twin.data, twin.data_options)
    assert dataset.provenance.startswith(("real, shipped in", "real, downloaded", "made here", "real, copied"))
    again = data.load(twin.data, twin.data_options)
    assert dataset.test
    for part, same in ((dataset.train, again.train), (dataset.test, again.test)):
        if twin.kind == "model":  # an exercise's data are its inputs, of any lengths
            assert len({len(array) for array in part.values()}) == 1
        assert all(np.array_equal(part[name], same[name]) for name in part)


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
    moved = moved_by_an_ulp(values, np.random.default_rng(0))
    assert (moved != values).all()
    assert np.allclose(moved, values, rtol=2**-22, atol=1e-40)
    assert moved_by_an_ulp(np.array([3]), np.random.default_rng(0))[0] == 3


def test_noise_floor_is_the_root_mean_square_over_draws_of_a_large_tensor():
    wanted = np.zeros(400_000)
    assert noise_floor([wanted + 3.0, wanted + 4.0], wanted) == pytest.approx(np.sqrt(12.5), rel=0.01)


def test_noise_floor_of_a_scalar_is_seldom_exceeded_by_the_noise():
    rng = np.random.default_rng(0)
    floors = [noise_floor(list(rng.standard_normal((5, 1))), np.zeros(1)) for _ in range(3000)]
    assert 0 < np.mean(np.array(floors) < 1.0) < 0.004  # one in a thousand is meant
    assert np.median(floors) < 6  # and it is no blank cheque


def test_a_damaged_array_file_is_one_clear_line(tmp_path):
    arrays.write(tmp_path / "good", {"x": np.arange(6.0).reshape(2, 3)})
    assert np.array_equal(arrays.read(tmp_path / "good")["x"], np.arange(6.0).reshape(2, 3))
    (tmp_path / "bad").write_bytes((tmp_path / "good").read_bytes()[:20])
    with pytest.raises(TwinError, match=r"cannot read .*bad"):
        arrays.read(tmp_path / "bad")
    with pytest.raises(TwinError, match="no file"):
        arrays.read(tmp_path / "none")
    with pytest.raises(TwinError, match="cannot write"):
        arrays.write(tmp_path / "no" / "where", {})


@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: content[:-1] + b"!", None])
def test_a_damaged_data_file_is_one_clear_line(damage, tmp_path):
    copy = tmp_path / "basic_motions.npz"
    if damage:
        copy.write_bytes(damage(motions.FILE.read_bytes()))
    with pytest.raises(TwinError, match=r"basic_motions.npz.*reinstall twin-suite"):
        motions.read(copy)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(TwinError, match="did you mean lenet"):
        find("lenett")
