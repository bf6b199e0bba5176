"""Modes of an engine."""

import pytest

from compare.check import run as check
from compare.engines.engine import CHANGING, ENGINES, MODES, choose, everything
from compare.engines.pool import Settings
from compare.record.record import RunRecord
from twin.catalogue import find
from twin.errors import TwinError


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


@pytest.mark.framework
def test_a_mode_computes_the_same():
    engines = choose(["torch:channels-last", "keras-tensorflow:eager"])
    measurements = [
        measurement
        for measurement in check.plan([find("lenet")], engines, "cpu", 0, "small")
        if measurement.dtype == "float32"
    ]
    check.run(RunRecord("check", measurements, None), engines, Settings(), lambda measurement, word: None)
    assert {measurement.engine: measurement.status for measurement in measurements} == {
        engine.name: "ok" for engine in engines
    }


@pytest.mark.parametrize("engine", everything().values(), ids=lambda engine: engine.name)
def test_the_processes_of_a_round_share_a_card_and_use_no_tf32(engine):
    env = engine.environment("cuda", 1)
    assert (env["XLA_PYTHON_CLIENT_PREALLOCATE"], env["TF_FORCE_GPU_ALLOW_GROWTH"]) == ("false", "true")
    assert (env["NVIDIA_TF32_OVERRIDE"], env["JAX_DEFAULT_MATMUL_PRECISION"]) == ("0", "highest")
    assert "CUDA_VISIBLE_DEVICES" not in env or env["CUDA_VISIBLE_DEVICES"]
    assert engine.environment("cpu", 1)["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize("name", CHANGING)
def test_no_variable_has_an_engine_compute_something_else(name, monkeypatch):
    monkeypatch.setenv(name, "1")
    assert name not in ENGINES["keras-jax"].environment("cpu", 1)
