"""Faults planted into exporters and runtimes of PyTorch's twins are found, and their place is named."""

from dataclasses import replace
from importlib.util import find_spec

import pytest

from compare.engines import pool
from compare.engines.engine import ENGINES
from compare.export import run
from compare.record.record import RunRecord
from tests.helpers.faulty_export import FaultyExporting
from tests.helpers.in_process import in_process
from twin.catalogue import TWINS

# What is said of each, beside the layer, the array or the axis.
FAULTS = {
    "": "",
    "layout": "wrong layout: the file takes height and width in the other order",
    "lost0": "lost activation: without {first} (1 of {count})",
    "lost1": "lost activation: without {second} (2 of {count})",
    "activation": "an activation too many: the file's outputs are tanh",
    "half": "reduced precision: with weights rounded to float16",
    "bfloat": "reduced precision: with weights rounded to bfloat16",
    "batch": "frozen batch: the file takes 1 row and no 16",
    "weight": "changed weight: the file has other values for 3 of the {weight}",
    "other": "has other weights, or is of another model",
    "twin": "the file is of another model",
    "damaged": "damaged: the runtime cannot load",
    "runtime": "its graph or its runtime is another",
    "restless": "wrong runtime: the same batch twice",
}
# Twin -> its first two activations, how many it has, and the weight in the middle, which is changed.
PLACES = {
    "mlp": ("relu at dense1", "relu at dense2", 2, "4,096 values of dense2.weight"),
    "lenet": ("tanh at conv1", "tanh at conv2", 4, "48,000 values of conv3.weight"),
    "har_conv1d": ("relu at conv1", "relu at conv2", 4, "4,608 values of conv3.weight"),
    "resnet": ("relu at bn1", "relu at blocks.0.bn1", 13, "512 values of blocks.2.conv1.weight"),
    "autoencoder": ("sigmoid at encoder.0", "sigmoid at decoder.0", 3, "1,024 values of decoder.0.weight"),
    "conv3d": ("relu at conv1", "relu at conv2", 10, "27,648 values of conv4b.weight"),
}
PICTURES = ("lenet", "resnet", "conv3d")
ONNX = pytest.mark.skipif(
    not all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))), reason="needs the extra export"
)
FORMATS = ("torch_export", pytest.param("onnx", marks=ONNX))
QUICK = "mlp"  # the others are left to `make test-long`


@pytest.fixture(scope="module")
def cells():
    """Twin and format -> fault -> the cell, measured when it is first asked for."""
    measured = {}

    def of(name, format):
        if (name, format) not in measured:
            engines = [replace(ENGINES["torch"], name=f"torch:{fault}" if fault else "torch") for fault in FAULTS]
            record = RunRecord("export", run.plan([TWINS[name]], engines, [format], "cpu", 0), None)
            with pytest.MonkeyPatch.context() as patches:
                for module in (run, pool):
                    patches.setattr(module, "Worker", in_process(FaultyExporting))
                run.run(record, engines, pool.Settings(), lambda measurement, word: None)
            measured[name, format] = dict(zip(FAULTS, record.measurements, strict=True))
        return measured[name, format]

    return of


@pytest.mark.framework
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [QUICK, *(pytest.param(n, marks=pytest.mark.long) for n in PLACES if n != QUICK)])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_located(fault, name, format, cells):
    if fault == "layout" and name not in PICTURES:
        pytest.skip("a row of numbers has no other layout")
    cell = cells(name, format)[fault]
    if not fault:
        assert cell.status == "ok", cell.reason
        return
    first, second, count, weight = PLACES[name]
    words = FAULTS[fault].format(first=first, second=second, count=count, weight=weight)
    if (fault, name, format) == ("weight", "resnet", "onnx"):
        words = "relative L2"  # found and not located: the exporter folds BatchNorm into the convolution's weights
    if (fault, format) == ("runtime", "onnx"):
        words = "wrong runtime: another implementation of the format gives the model's outputs"
    assert cell.status == "failed"
    assert words in cell.reason
