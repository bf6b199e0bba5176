"""`twin line`: what it counts, what it trains on, and what its report says."""

import json
import subprocess
from dataclasses import replace

import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Pool, Settings
from compare.record.measurement import TrainMeasurement
from compare.record.record import RunRecord
from compare.record.results import TrainResult
from compare.report import tables as report
from compare.train import line
from compare.train import run as training
from tests.helpers.command import TWIN, environment
from twin.catalogue import find
from twin.catalogue.line import LINE, QUICK_EPOCHS, TRAININGS, variants
from twin.crossing import Crossing
from twin.data import fashion_mnist
from twin.errors import TwinError

VARIANTS = variants("digits", quick=False)


def convolution(side, kernel, inputs, outputs):
    """Multiply-adds of a square convolution whose output has that side."""
    return side**2 * kernel**2 * inputs * outputs


def mbconv(side, inputs, outputs, stride):
    """Multiply-adds of an MBConv that widens six times: 1x1, depthwise 3x3, gate, 1x1."""
    wide, smaller = 6 * inputs, side // stride
    gate = 2 * wide * (inputs // 4)
    return (
        convolution(side, 1, inputs, wide)
        + convolution(smaller, 3, 1, wide)
        + gate
        + convolution(smaller, 1, wide, outputs)
    )


def by_hand():
    """Each network's multiply-adds, layer by layer as the papers give them."""
    lenet = convolution(28, 5, 1, 6) + convolution(10, 5, 6, 16) + convolution(1, 5, 16, 120) + 120 * 84 + 84 * 10
    vgg_style = (
        convolution(30, 3, 1, 6)
        + convolution(28, 3, 6, 6)
        + convolution(12, 3, 6, 16)
        + convolution(10, 3, 16, 16)
        + convolution(3, 3, 16, 120)
        + convolution(1, 3, 120, 120)
        + 120 * 84
        + 84 * 10
    )
    resnet_style = (
        convolution(32, 3, 1, 16)
        + 2 * convolution(32, 3, 16, 16)
        + convolution(16, 3, 16, 32)
        + convolution(16, 3, 32, 32)
        + convolution(8, 3, 32, 64)
        + convolution(8, 3, 64, 64)
        + 64 * 10
    )
    mbconv_net = (
        convolution(16, 3, 1, 12)
        + 2 * mbconv(16, 12, 12, 1)
        + mbconv(16, 12, 24, 2)
        + mbconv(8, 24, 24, 1)
        + mbconv(8, 24, 48, 2)
        + mbconv(4, 48, 48, 1)
        + 48 * 10
    )
    tokens, width, hidden = 65, 64, 128
    attention = 4 * tokens * width**2 + 2 * tokens**2 * width  # four linear maps; queries by keys, weights by values
    vit = 64 * 4**2 * width + 2 * (attention + 2 * tokens * width * hidden) + width * 10
    return {"lenet": lenet, "vgg_style": vgg_style, "resnet_style": resnet_style, "mbconv": mbconv_net, "vit": vit}


@pytest.mark.framework
def test_multiply_adds_are_those_of_the_layers():
    assert by_hand()["lenet"] == 416_520
    assert line.multiply_adds(VARIANTS, ENGINES["torch"], Settings()) == by_hand()


@pytest.mark.parametrize("engine", ["torch", "keras-torch"])
@pytest.mark.framework
def test_the_networks_have_the_declared_parameters(engine):
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    pool = Pool(Settings())
    try:
        session = pool.start(ENGINES[engine], "cpu")
        for twin in VARIANTS:
            leaves = session.build(twin.name, twin.small.arguments).leaves
            assert Crossing("torch", leaves, leaves, twin).trainable == twin.small.parameters, twin.name
    finally:
        pool.close()


@pytest.mark.parametrize("data", TRAININGS)
def test_a_variant_is_the_catalogues_twin_but_for_what_the_worker_is_told(data):
    for step, twin in zip(LINE, variants(data, quick=False), strict=True):
        own = find(step.twin)
        told = {name: getattr(own, name) for name in ("small", "data", "data_options", "epochs", "metric")}
        assert replace(twin, **told) == own
        assert (twin.data, twin.metric.target) == (data, step.targets[data])
        assert twin.small.arguments["image_shape"] == (32, 32, 1)


def test_fashion_mnist_is_taken_where_it_is_and_the_digits_otherwise(monkeypatch, tmp_path):
    monkeypatch.setattr(fashion_mnist, "SOURCE", replace(fashion_mnist.SOURCE, installed=str(tmp_path / "nowhere")))
    monkeypatch.delenv("TWIN_DATA", raising=False)
    assert line.choose_data(None) == "digits"
    with pytest.raises(TwinError, match="fashion_mnist: no files found; install the package dataset-fashion-mnist"):
        line.choose_data("fashion_mnist")
    with pytest.raises(TwinError, match="unknown data set 'digit'; did you mean digits"):
        line.choose_data("digit")

    (tmp_path / "fashion_mnist").mkdir()
    for name in fashion_mnist.SOURCE.files:
        (tmp_path / "fashion_mnist" / name).touch()
    monkeypatch.setenv("TWIN_DATA", str(tmp_path))
    assert line.choose_data(None) == "fashion_mnist"
    assert line.choose_data("digits") == "digits"


def test_one_engine_of_each_framework_unless_one_is_missing():
    engines = list(ENGINES.values())
    assert [engine.name for engine in line.choose_engines(engines)] == ["torch", "keras-jax"]
    without_jax = [engine for engine in engines if engine.name != "keras-jax"]
    assert line.choose_engines(without_jax) == without_jax


def test_an_interruption_keeps_the_multiply_adds_of_what_was_trained(monkeypatch, tmp_path):
    measurements = training.plan(VARIANTS, [ENGINES["torch"]], "cpu", [0], size="line")
    record = RunRecord("line", measurements, tmp_path / "record.json")

    def train_one_and_be_interrupted(record, *_):
        record.measurements[0].result = trained(value=0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(line, "multiply_adds", lambda *_: by_hand())
    monkeypatch.setattr(training, "run", train_one_and_be_interrupted)
    with pytest.raises(KeyboardInterrupt):
        line.run(record, VARIANTS, [ENGINES["torch"]], Settings(), None, lambda measurement, word: None)
    first, second, *_ = json.loads((tmp_path / "record.json").read_text())["measurements"]
    assert first["result"]["multiply_adds"] == 416_520
    assert second["result"] is None


def trained(**fields):
    return TrainResult(**{"metric": "accuracy", "target": 0.9, "chance": 0.1, "seconds": 1.0, "loss": {}, **fields})


def measurement(twin, status="ok", **fields):
    result = trained(**fields) if fields else None
    return TrainMeasurement(twin, "keras-tensorflow", "cpu", "float32", 0, "line", status, "why", result=result)


def test_the_report_fits_eighty_columns_and_leaves_out_what_was_not_measured():
    measured = {
        "parameters": 75_002,
        "multiply_adds": 11_944_576,
        "rows": 6000,
        "provenance": "real, shipped in the package dataset-fashion-mnist: clothes, 6000 to train",
    }
    measurements = [
        measurement("resnet_style", epoch_seconds=[9.0, 1.0, 3.0, 2.0], value=0.87654, **measured),
        measurement("lenet", epoch_seconds=[9.0], value=0.5, **measured),
        measurement("vit", status="not_run"),
    ]
    text = report.of_record(RunRecord("line", measurements, None))
    rows = {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}
    assert rows["resnet_style"] == ["keras-tensorflow", "75,002", "11,944,576", "3,000", "0.8765"]
    assert rows["lenet"] == ["keras-tensorflow", "75,002", "11,944,576", "0.5000"]
    assert rows["vit"] == ["keras-tensorflow", "not", "run"]
    assert text.count("dataset-fashion-mnist") == 1
    assert "no verdict" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.framework
def test_a_quick_line_end_to_end(tmp_path):
    command = [*TWIN, "line", "--quick", "--data", "digits", "--engine", "torch"]
    env = environment()
    answer = subprocess.run(
        [*command, "--json", "found.json"], capture_output=True, text=True, cwd=tmp_path, env=env, timeout=600
    )
    assert answer.returncode == 0, answer.stderr
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "shipped in scikit-learn" in answer.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["settings"]["data"] == "digits"
    assert [each["twin"] for each in found["measurements"]] == [step.twin for step in LINE]
    for twin, each in zip(VARIANTS, found["measurements"], strict=True):
        result = each["result"]
        assert result["multiply_adds"] == by_hand()[twin.name]
        assert result["parameters"] == twin.small.parameters
        assert result["rows"] == 1438
        assert len(result["epoch_seconds"]) == result["epochs"] == QUICK_EPOCHS
        assert 0 < sum(result["epoch_seconds"]) <= result["seconds"]
        assert result["value"] > 0.5
