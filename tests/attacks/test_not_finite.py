"""NaN, infinite and empty values, planted on one side and on both: each is seen, and none is agreement."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compare.check import ladder
from compare.check.reference import SNAPSHOTS, Reference, farthest
from compare.reading import shapes
from compare.record.measurement import benches_of, checks_of
from compare.record.record import read_record
from compare.stats import ratios
from compare.verify import axes
from compare.verify.losses import Losses, _apart
from compare.worker.training import Progress
from tests.helpers.attack import fake, left_of, mostly_long
from twin import data
from twin.catalogue import TWINS, find
from twin.numeric import distance, noise_floor

LIMITS = ladder.Limits(False, {})
NAMES = ("a.weight", "b.weight")
VALUES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def named(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((3, 4)) for name in NAMES}


def reference():
    """One whose engine computes exactly the same."""
    ref = Reference([], set(), {name: array.astype(np.float32) for name, array in named(1).items()}, {}, {})
    parts = ["forward", "gradients", "moments", *(f"weights/{step}" for step in SNAPSHOTS)]
    for number, part in enumerate(parts):
        ref.values[part] = named(number + 2)
    ref.values["moments"] = {f"{which}/{name}": a for which in ("first", "second") for name, a in named(9).items()}
    for part, values in ref.values.items():
        ref.noise[part] = dict.fromkeys(values, 1e-7)
        ref.apart[part] = 1e-7
    ref.losses = {"loss": 1.0}
    ref.curve = [{"loss": 1.0 / step} for step in range(1, 21)]
    ref.native_curves = [[{"loss": each["loss"] * (1 + 1e-7)} for each in ref.curve]]
    return ref


def climbed(ref, got):
    """Every rung, of what an engine computed."""
    return {
        "weights": ladder.weights(got.weights, ref.weights),
        "forward": ladder.forward(got.values["forward"], ref, LIMITS),
        "gradients": ladder.gradients(got.losses, got.values["gradients"], ref, LIMITS),
        "optimizer": ladder.optimizer(got.values, ref, LIMITS),
        "trajectory": ladder.trajectory(got.curve, ref, LIMITS),
    }


def plant(value, where, ref):
    """Put a value into one place of a rung's numbers."""
    match where:
        case "weights":
            ref.weights[NAMES[0]][1, 2] = value
        case "losses":
            ref.losses["loss"] = value
        case "curve":
            ref.curve[5]["loss"] = value
        case _:
            next(iter(ref.values[where].values()))[1, 2] = value


PLACES = {"weights": "weights", "losses": "gradients", "curve": "trajectory", "forward": "forward"} | {
    "gradients": "gradients", "moments": "optimizer", "weights/1": "optimizer", f"weights/{SNAPSHOTS[-1]}": "optimizer",
}  # fmt: skip


def test_without_a_plant_every_rung_holds():
    assert {rung.status for rung in climbed(reference(), reference()).values()} == {"ok"}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("sides", ["engine", "reference", "both"])
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_rung_sees_what_is_not_finite(where, sides, value):
    ref, got = reference(), reference()
    if sides != "reference":
        plant(VALUES[value], where, got)
    if sides != "engine":
        plant(VALUES[value], where, ref)
    if where == "weights" and sides == "both" and value != "nan":
        return  # they crossed bit for bit, and the forward rung is where they meet
    rung = climbed(ref, got)[PLACES[where]]
    assert rung.status == "failed"
    if where not in ("weights", "weights/1"):  # an update is measured as a difference of weights
        says = {"engine": "this engine alone has", "reference": "the reference alone has", "both": "both sides have"}
        assert says[sides] in rung.message


def test_outputs_that_are_all_empty_are_no_agreement():
    ref, got = reference(), reference()
    for each in (ref, got):
        each.values["forward"] = {"y": np.zeros((4, 0))}
        each.noise["forward"] = {"y": 0.0}
    rung = ladder.forward(got.values["forward"], ref, LIMITS)
    assert rung.status == "failed"
    assert "nothing can be compared" in rung.message


ARRAYS = hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(width=32))


@settings(deadline=None, max_examples=300)
@given(ARRAYS, st.sampled_from([None, 0.0, 1e-7, math.inf, math.nan]), st.floats(1e-9, 10))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_array_with_a_value_that_is_not_finite_is_near_any(array, noise, limit):
    finite = np.where(np.isfinite(array), array, 0).astype(np.float64)
    for got, wanted in ((array, finite), (finite, array), (array, array)):
        far = distance("x", got, wanted, limit, noise)
        if not np.isfinite(array).all():
            assert not far.ok
        elif got is wanted:
            assert far.ok or (noise is not None and not math.isfinite(noise))
    same = axes.relative(array, array)
    assert same == 0 if np.isfinite(array).all() else same == math.inf
    assert axes.relative(array, finite) == (math.inf if not np.isfinite(array).all() else 0)


@settings(deadline=None, max_examples=100)
@given(ARRAYS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rounding_noise_of_what_is_not_finite_allows_nothing(array):
    floor = noise_floor([array + np.float32(0)], array.astype(np.float64))
    far = distance("x", np.ones(3), np.zeros(3), 1.0, floor)
    assert not far.ok


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("sides", ["keras", "torch", "both"])
def test_a_loss_that_is_not_finite_is_a_finding(value, sides):
    class Side:
        def __init__(self, planted):
            self.planted = planted

        def loss(self, given, transform="", changes=None):
            gradient = np.ones((2, 3), np.float32)
            return (VALUES[value] if self.planted else 1.0), gradient, "a loss"

    losses = Losses(Side(sides != "torch"), Side(sides != "keras"), {"outputs": np.ones((2, 3)), "target": np.ones(2)})
    assert not _apart(losses.of_torch(), losses.of_keras()) <= 1e-4
    finding, far = losses.compare("")
    assert finding is not None
    assert not far <= 1e-4


METRICS = {twin.metric.name: twin.name for twin in reversed(TWINS.values()) if twin.metric}


def learned(twin, dataset, name="", value=0.0):
    """The twin's metric of a model whose outputs are zeros, with that value in one of them."""
    kept = json.loads(shapes.FILE.read_text())[twin.name]["keras"]["outputs"]

    def predict(run, given):
        rows = len(given[next(iter(twin.inputs))])
        outputs = {each: np.zeros((rows, *shape[1:]), np.float32) for each, shape in kept.items()}
        if name:
            outputs[name].flat[-1] = value
        return outputs

    context = SimpleNamespace(run=SimpleNamespace(twin=twin), train=SimpleNamespace(predict=predict))
    return Progress(context, dataset, 1, ()).learned(), list(kept)


@pytest.mark.parametrize("metric", mostly_long(METRICS, 3))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_metric_makes_a_number_of_outputs_that_are_none(metric):
    """An argmax of NaN is a class, and an accuracy of such classes would be a number."""
    twin = find(METRICS[metric])
    dataset = data.load(twin.data, twin.data_options)
    sound, outputs = learned(twin, dataset)
    assert math.isfinite(sound)
    for name in outputs:
        for value in VALUES.values():
            assert math.isnan(learned(twin, dataset, name, value)[0])


def planted(folder, command, plant, name):
    """A command with workers that plant a value into the numbers of `transfer_learning`; and its record."""
    answer = fake(
        folder, command, "transfer_learning", "--engine", "torch", "--engine", "torch:compile", "--out", folder / name,
        *(["--quick"] if command == "bench" else []),
        env={"TWIN_WORKER": "tests.helpers.fake_model", "TWIN_PLANT": plant},
    )  # fmt: skip
    (record,) = (folder / name).iterdir()
    assert "Traceback" not in answer.stderr
    assert "Warning" not in answer.stderr
    return answer, record


PLANTS = [
    f"{side} {place} {value}"
    for side in ("both", "engine", "reference")
    for place in ("forward", "gradients", "losses", "steps", "curve")
    for value in ("nan", "inf", "empty")
    if value != "empty" or place not in ("losses", "curve")
]


@pytest.mark.parametrize("plant", mostly_long(PLANTS, 2))
def test_the_bench_times_nothing_whose_numbers_are_not_finite(plant, tmp_path):
    answer, file = planted(tmp_path, "bench", plant, "runs")
    checks = {each.engine: each for each in checks_of(read_record(file).measurements)}
    benches = {each.engine: each for each in benches_of(read_record(file).measurements)}
    side, place, value = plant.split()
    crashed = value == "empty" and place != "forward"
    assert answer.returncode == (3 if crashed else 1)
    assert checks["torch:compile"].status == ("crashed" if crashed else "failed")
    if value != "empty":
        words = {"engine": "this engine alone has", "reference": "the reference alone has", "both": "both sides have"}
        assert words[side] in checks["torch:compile"].reason
    assert benches["torch:compile"].status == checks["torch:compile"].status
    assert not benches["torch:compile"].result.process_runs
    assert checks["torch"].status == ("ok" if side == "engine" else checks["torch:compile"].status)
    assert left_of(tmp_path) == []


@pytest.mark.parametrize("value", mostly_long(["nan", "inf"]))
def test_a_training_whose_metric_is_not_finite_fails_alone(value, tmp_path):
    answer, file = planted(tmp_path, "train", f"engine value {value}", "runs")
    assert answer.returncode == 1
    assert [each.status for each in read_record(file).measurements] == ["ok", "failed"]
    assert "diverged" in answer.stdout
    assert fake(tmp_path, "report", file, "--html", "p.html", "--md", "-", "--csv", "x.csv").returncode == 0


def test_errors_that_are_not_finite_are_no_figure_that_did_not_move(tmp_path):
    _, sound = planted(tmp_path, "check", "none none nan", "sound")
    _, broken = planted(tmp_path, "check", "engine forward nan", "broken")
    for records, code, outcome in (
        ((sound, broken), 1, "moved"),
        ((broken, sound), 0, "moved"),
        ((broken, broken), 0, "no verdict"),
    ):
        answer = fake(tmp_path, "diff", *records, "--json", "-")
        assert answer.returncode == code
        figures = {(each["engine"], each["name"]): each for each in json.loads(answer.stdout)["figures"]}
        assert figures["torch:compile", "forward error"]["outcome"] == outcome
        assert figures["torch", "forward error"]["outcome"] == "same"


def test_natives_that_diverge_are_said_and_decide_nothing():
    """Beyond the step at which native runs are no longer together, no weight is compared and no loss."""
    ref, got = reference(), reference()
    ref.apart["weights/5"] = farthest({NAMES[0]: np.full(3, math.nan)}, {NAMES[0]: np.ones(3)})
    for curve in ref.native_curves:
        curve[3]["loss"] = math.nan
    got.values["weights/10"] = {name: array * 2 for name, array in got.values["weights/10"].items()}
    got.curve[9]["loss"] = 7.0
    rungs = climbed(ref, got)
    assert rungs["optimizer"].message == "2 of 20 steps compared"
    assert (rungs["trajectory"].status, rungs["trajectory"].message) == ("ok", "3 steps compared")
    for curve in ref.native_curves:
        curve[0]["loss"] = math.nan
    assert climbed(ref, got)["trajectory"].message.startswith("no loss was compared")
    assert ladder.judge("forward", []).status == "failed"


@pytest.mark.parametrize("times", [[math.nan, 1.0, 1.0], [math.inf, 1.0, 1.0], [0.0, 1.0, 1.0]])
def test_no_verdict_on_speed_rests_on_times_that_are_none(times):
    """A worker cannot send them, and a record cannot hold them; arithmetic that gets them decides nothing."""
    try:
        with np.errstate(all="ignore"):
            found = ratios.ratio([[each] for each in times], [[1.0], [1.0], [1.0]])
            verdict = ratios.judge(found, 0.05, 1.0, 1)
    except (ValueError, ZeroDivisionError):
        return
    assert verdict not in ("equal", "faster") or math.isfinite(found.estimate)
