"""Speed: the arithmetic of ratios and verdicts on times that are known, and the bench on workers that misbehave.

No test here depends on how fast anything is.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from compare.bench import gpu
from compare.bench import run as bench
from compare.check import run as check
from compare.cli.arguments import seconds, share
from compare.engines.engine import ENGINES, MODES, choose, everything
from compare.engines.pool import Settings
from compare.record.cell import Cell
from compare.record.record import Record
from compare.stats import ratios as speed
from tests.helpers import aside
from twin.catalogue import find
from twin.errors import INCOMPLETE, TwinError

TORCH = ENGINES["torch"]


def times(rng, factor, rounds=10, passes=8, between=0.03, within=0.02):
    """Seconds of rounds of passes: a factor, a share that each process has for life, and noise from pass to pass."""
    lives = np.exp(between * rng.standard_normal((rounds, 1)))
    return (factor * lives * np.exp(within * rng.standard_normal((rounds, passes)))).tolist()


def test_a_ratio_is_the_mean_over_rounds_of_the_median_log_ratio():
    ours = [[2.0, 2.0, 200.0], [8.0, 8.0, 8.0]]
    found = speed.ratio(ours, [[1.0, 1.0, 1.0]] * 2)
    assert found.estimate == pytest.approx(4.0)  # sqrt(2 * 8): the outlier of a pass does not count
    assert found.low < 4.0 < found.high
    assert found.rounds == 2


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    ratios = [speed.ratio(times(rng, 1.2), times(rng, 1.0), seed) for seed in range(200)]
    covered = sum(found.low <= 1.2 <= found.high for found in ratios)
    assert 0.91 <= covered / 200 <= 0.99


def test_one_round_has_no_interval_and_no_verdict():
    found = speed.ratio([[1.0, 1.1]], [[1.0, 1.0]])
    assert (found.low, found.high) == (0.0, math.inf)
    assert speed.band_of(found) == math.inf
    assert speed.judge(found, 0.03) == "none"


def test_times_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="same rounds and passes"):
        speed.ratio([[1.0, 1.0]], [[1.0]])
    with pytest.raises(ValueError, match="at least one"):
        speed.ratio([], [])


@pytest.mark.parametrize(
    ("low", "high", "band", "rounds", "steady", "verdict"),
    [
        (1.05, 1.15, 0.03, 10, 1.0, "slower"),
        (0.85, 0.95, 0.03, 10, 1.0, "faster"),
        (0.98, 1.02, 0.03, 10, 1.0, "equal"),
        (1.05, 1.15, 0.08, 10, 1.0, "inconclusive"),  # the same code has been as far from itself
        (0.90, 1.30, 0.60, 10, 1.0, "inconclusive"),  # no band is so wide that this would be equal
        (1.05, 1.15, 0.03, 9, 1.0, "none"),
        (1.05, 1.15, 0.03, 10, 0.4, "unstable"),
    ],
)
def test_verdict(low, high, band, rounds, steady, verdict):
    found = speed.Ratio(math.sqrt(low * high), low, high, rounds)
    assert speed.judge(found, band, steady) == verdict


def test_the_same_code_is_seldom_called_different_and_a_tenth_is_called():
    rng = np.random.default_rng(1)
    verdicts = {"same": [], "slower": []}
    for seed in range(100):
        native, copy = times(rng, 1.0), times(rng, 1.0)
        band = speed.band_of(speed.ratio(copy, native, seed))
        for kind, factor in (("same", 1.0), ("slower", 1.1)):
            verdicts[kind].append(speed.judge(speed.ratio(times(rng, factor), native, seed), band))
    assert sum(each in ("faster", "slower") for each in verdicts["same"]) <= 5
    assert verdicts["slower"].count("slower") >= 70
    assert "faster" not in verdicts["slower"]


def test_steady_is_what_no_longer_falls():
    rng = np.random.default_rng(2)
    flat = 1 + 0.01 * rng.standard_normal(20)
    assert speed.is_steady(flat)
    assert not speed.is_steady(flat * np.linspace(2, 1, 20))
    assert not speed.is_steady([5.0, *flat[1:]])
    assert not speed.is_steady([*flat[:10], *(0.7 * flat[10:])])


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("10m", 600), ("1h", 3600), ("5", 5), ("0.5m", 30)], ids=lambda value: str(value)
)
def test_a_length_of_time(text, found):
    assert seconds("--budget", text) == found


@pytest.mark.parametrize("text", ["0", "0m", "-3s", "m", "", "ten", "inf", "nan"])
def test_a_length_of_time_that_is_none_is_refused(text):
    with pytest.raises(TwinError, match=r"--budget .*expected a length of time"):
        seconds("--budget", text)


def test_a_share():
    assert share("--precision", "2%") == share("--precision", "0.02") == 0.02
    for text in ("0", "0%", "100%", "-1%", "two", "nan"):
        with pytest.raises(TwinError, match=r"--precision .*expected a share"):
            share("--precision", text)


def test_modes_are_engines_too():
    assert [e.name for e in choose(["torch:compile", "keras-tensorflow:eager", "torch"])] == [
        "torch",
        "torch:compile",
        "keras-tensorflow:eager",
    ]
    assert set(everything()) == {*ENGINES, *(f"{name}:{mode}" for name, modes in MODES.items() for mode in modes)}
    with pytest.raises(TwinError, match="unknown engine 'torch:eager'"):
        choose(["torch:eager"])
    compiled = {name for name, engine in everything().items() if engine.compiled}
    assert compiled == {"torch:compile", "keras-torch:compile", "keras-tensorflow", "keras-jax"}


def plan(*engines, twin="mlp", reference="torch"):
    return bench.plan([find(twin)], engines, "cpu", 0, "small", reference)


def test_a_mode_computes_the_same():
    engines = choose(["torch:channels-last", "keras-tensorflow:eager"])
    cells = [cell for cell in check.plan([find("lenet")], engines, "cpu", 0, "small") if cell.dtype == "float32"]
    check.run(Record("check", cells, None), engines, Settings(), lambda cell, word: None)
    assert {cell.engine: cell.status for cell in cells} == {engine.name: "ok" for engine in engines}


@pytest.mark.parametrize("engine", everything().values(), ids=lambda engine: engine.name)
def test_the_processes_of_a_round_share_a_card_and_use_no_tf32(engine):
    env = engine.environment("cuda", 1)
    assert (env["XLA_PYTHON_CLIENT_PREALLOCATE"], env["TF_FORCE_GPU_ALLOW_GROWTH"]) == ("false", "true")
    assert (env["NVIDIA_TF32_OVERRIDE"], env["JAX_DEFAULT_MATMUL_PRECISION"]) == ("0", "highest")
    assert "CUDA_VISIBLE_DEVICES" not in env or env["CUDA_VISIBLE_DEVICES"]
    assert engine.environment("cpu", 1)["CUDA_VISIBLE_DEVICES"] == ""


def test_a_reference_that_is_not_timed_is_refused():
    with pytest.raises(TwinError, match="--reference torch: not one of the engines"):
        plan(ENGINES["keras-jax"])


def test_an_exercise_has_no_speed():
    (cell,) = plan(TORCH, twin="pooling")
    assert cell.status == "skipped"


def quick(mode=""):
    """Native PyTorch's place, taken by a worker without a framework."""
    return replace(TORCH, name=f"torch:{mode}" if mode else "torch", module="tests.helpers.quick_worker", mode=mode)


def run(cells, engines, tmp_path, **options):
    """The bench on planned cells, with their checks; returns the record and what was said of the progress."""
    record = Record("bench", cells, tmp_path / "record.json")
    given = bench.Options(**{"passes": 2, "rounds": 1, **options})
    words = []
    bench.run(record, engines, Settings(jobs=1, timeout=60), given, lambda cell, word: words.append(word))
    return record, words


@pytest.mark.parametrize("status", ["failed", "timeout", "not_run"])
def test_the_speed_of_what_does_not_agree_is_withheld(status, tmp_path):
    engines = quick(), quick("slow")
    native, other = cells = plan(*engines)
    checks = bench.gates(cells)
    checks[0].status = "ok"
    checks[1].status, checks[1].reason = status, "forward: dense1 is off"
    run([*checks, *cells], engines, tmp_path)
    assert (native.status, other.status) == ("ok", status), native.reason
    assert "forward: dense1 is off" in other.reason
    assert "speed" not in other.result


def agreed(cells):
    checks = bench.gates(cells)
    for each in checks:
        each.status = "ok"
    return [*checks, *cells]


@pytest.mark.parametrize("engine", ["torch", "keras-torch"])
def test_a_round_keeps_raw_times_of_both_copies(engine, tmp_path):
    (cell,) = cells = plan(ENGINES[engine], reference=engine)
    record, _ = run(agreed(cells), [ENGINES[engine]], tmp_path, reference=engine)
    assert (cell.status, record.exit_code()) == ("ok", 0)
    for each in (*cell.result["rounds"], *cell.result["copy"]):
        assert all(len(each[quantity]) == 2 and min(each[quantity]) > 0 for quantity in bench.QUANTITIES)
        assert each.keys() >= {"import_seconds", "first_step", "second_step", "unsteady", "peak_memory_mib"}
    assert cell.result["speed"]["step"]["verdict"] == "reference"


@pytest.mark.parametrize("slower", ["1.1", "0.9", "1.0"])
def test_a_tenth_is_called_and_nothing_is_not(slower, tmp_path, monkeypatch):
    monkeypatch.setenv("TWIN_SLOWER", slower)
    engines = quick(), quick("slow")
    cells = plan(*engines)
    _, words = run(agreed(cells), engines, tmp_path, rounds=None, passes=4, budget=60)
    assert cells[1].result["speed"]["step"]["rounds"] == speed.ROUNDS
    verdicts = {found["verdict"] for found in cells[1].result["speed"].values()}
    assert verdicts == {{"1.1": "slower", "0.9": "faster", "1.0": "equal"}[slower]}
    assert any(word.startswith("round 2, step") and "min left" in word for word in words)


def test_what_has_no_steady_state_has_no_verdict(tmp_path):
    engines = quick(), quick("restless")
    native, other = cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path)
    assert (native.status, other.status, other.reason) == ("ok", "unstable", "no steady state in most rounds: loop")
    assert other.result["speed"]["step"]["verdict"] != "unstable"
    assert record.exit_code() == INCOMPLETE


@pytest.mark.parametrize("when", ["start", "chunk"])
def test_an_engine_that_dies_costs_its_own_cell_only(when, tmp_path):
    broken = quick("dying") if when == "chunk" else replace(quick("slow"), module="tests.helpers.no_such_module")
    engines = quick(), broken
    native, other = cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path, rounds=2)
    assert (native.status, other.status) == ("ok", "crashed")
    assert len(native.result["rounds"]) == 1  # nobody is left to compare with
    assert record.exit_code() == INCOMPLETE


def test_without_the_reference_nothing_is_timed(tmp_path):
    engines = replace(quick(), module="tests.helpers.no_such_module"), quick("slow")
    cells = plan(*engines)
    record, _ = run(agreed(cells), engines, tmp_path)
    assert [cell.status for cell in cells] == ["crashed", "not_run"]
    assert "nothing to compare with" in cells[1].reason
    assert record.exit_code() == INCOMPLETE


def test_rounds_end_with_the_budget_and_with_the_precision():
    cells = plan(TORCH, replace(TORCH, name="torch:compile"))
    timed = bench.Bench(
        find("mlp"), cells, {}, Record("bench", cells, None), Settings(), bench.Options(budget=60), print
    )
    timed.lengths = [20.0]

    def goes_on(rounds, elapsed, half_width=0.05):
        for cell in cells:
            cell.result["rounds"] = [{}] * rounds
            cell.result["speed"] = {"step": {"low": 1 / (1 + half_width), "high": 1 + half_width}}
        return timed._goes_on(cells[0], elapsed)

    assert goes_on(0, 1000)  # one round there is always
    assert goes_on(1, 39)
    assert not goes_on(1, 41)
    timed.options = bench.Options(budget=1e9, precision=0.02)
    assert goes_on(9, 0, half_width=0.001)
    assert goes_on(10, 0)
    assert not goes_on(10, 0, half_width=0.01)
    timed.options = bench.Options(quick=True)
    assert goes_on(2, 0)
    assert not goes_on(3, 0)


@pytest.mark.parametrize(
    ("statuses", "kept"),
    [
        (["not_run", "not_run"], [2, 2]),  # interrupted: the rounds go on
        (["ok", "ok"], [2, 2]),
        (["ok", "crashed"], [None, None]),  # the crashed engine's rounds would be paired with others of the reference
    ],
)
def test_a_resumed_bench_goes_on_with_rounds_that_belong_together(statuses, kept, tmp_path):
    engines = quick(), quick("slow")
    before = plan(*engines)
    for cell, status in zip(before, statuses, strict=True):
        cell.status, cell.result = status, {"rounds": [{}, {}]}
    Record("bench", before, tmp_path / "record.json")
    again = Record("bench", plan(*engines), None)
    again.adopt(tmp_path / "record.json")
    assert [len(cell.result["rounds"]) if cell.result else None for cell in again.cells] == kept


class Card:
    """A driver that lists a foreign process for so many questions."""

    def __init__(self, questions):
        self.questions = questions

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetComputeRunningProcesses(self, card):
        self.questions -= 1
        return [type("Process", (), {"pid": 4711, "usedGpuMemory": 3 << 30})] if self.questions >= 0 else []


def test_a_gpu_in_use_is_refused_and_one_that_becomes_free_is_not(monkeypatch):
    monkeypatch.setattr(gpu, "PATIENCE", 0.3)
    monkeypatch.setattr(gpu, "_driver", lambda: Card(1))
    gpu.check_free("cuda")
    busy = Card(10**6)
    monkeypatch.setattr(gpu, "_driver", lambda: busy)
    with pytest.raises(TwinError, match=r"process 4711 .* 3.0 GiB") as caught:
        gpu.check_free("cuda")
    assert caught.value.exit_code == INCOMPLETE
    gpu.check_free("cpu")


def test_cells_of_the_bench_survive_the_record(tmp_path):
    cells = plan(TORCH)
    cells[0].result["rounds"] = [{"step": [1.0]}]
    record = Record("bench", cells, tmp_path / "record.json")
    assert Cell.from_json(record.to_json()["cells"][0]).result == cells[0].result


STEPS = """
import numpy as np
from keras_impl import timing, train
from keras_impl.gradients import stock_step
from twin import data
from twin.catalogue import find

twin = find("mlp")
batch = {name: array[:32] for name, array in data.load(twin.data, twin.data_options).train.items()}
x = batch["x"]
runs = []
for _ in range(2):
    run = train.build(twin, dict(twin.small.arguments), seed=1)
    train.prepare(run, 10)
    runs.append(run)
by_hand, timed = runs
expected = [train.step(by_hand, batch)["loss"] for _ in range(6)]
train.step(timed, batch)
call = stock_step(timed.model, tuple(train.to_tensors(batch)[name] for name in "xy"))
for _ in range(5):
    logs = call()
timing.wait_for(logs)
assert expected[0] > 1.05 * expected[-1]
mean = float(np.mean(expected))  # what fit shows: the mean since the last reset
assert abs(float(logs["loss"]) - mean) < 1e-4 * mean, (logs, mean)

before = train.predict(by_hand, x[:1])["y"]
call = timing.inference(by_hand, x[:1])
# A compiled batch of one rounds otherwise than predict does; logits are about 1.
assert np.allclose(train.ops.convert_to_numpy(call()), before, atol=1e-6)
"""


@pytest.mark.parametrize("engine", [name for name, engine in ENGINES.items() if engine.side == "keras"])
def test_the_timed_step_is_the_step_that_fit_takes(engine):
    aside.run(engine, "-c", STEPS)
