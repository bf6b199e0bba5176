"""What int8 costs and gives: accuracy on the real test data, size and speed of trained twins, on both sides.

    python benchmarks/int8.py lenet mlp har_conv1d [--backend jax] [--seed 0]

PyTorch trains each twin as `twin train` does, and Keras gets the same weights. Then each tool quantizes as its
documentation says: Keras's `Model.quantize("int8")` (dense layers, weights and activations), torchao's
`Int8DynamicActivationInt8WeightConfig` (linear layers), and ONNX Runtime on the exported file: dynamic (weights ahead,
activations as they come) and static (activations calibrated on training rows). Convolutions are quantized by ONNX
Runtime only. The script prints, for each, the accuracy on the test data beside float32's, the size, and how many times
as fast as float32 in the same runtime it answers for one row and for the whole test data, by the median of several
times of the processor. It is no test, because it depends on times.
"""

import argparse
import io
import math
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path

PARSER = argparse.ArgumentParser()
PARSER.add_argument("names", nargs="+")
PARSER.add_argument("--backend", default="jax")
PARSER.add_argument("--seed", type=int, default=0)
OPTIONS = PARSER.parse_args()
os.environ |= {"KERAS_BACKEND": OPTIONS.backend, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from compare.export.formats import onnx  # noqa: E402
from compare.export.model import Model  # noqa: E402
from keras_impl import train as keras_train  # noqa: E402
from torch_impl import train as torch_train  # noqa: E402
from twin import data  # noqa: E402
from twin.catalogue import find  # noqa: E402
from twin.crossing import Crossing  # noqa: E402
from twin.native import to_native  # noqa: E402

LOOPS, CALIBRATION = 9, 256  # timed after as many that are not; rows


def seconds(call):
    """Of the processor, the median of several: what else the machine does takes none of them."""
    times = []
    for loop in range(2 * LOOPS):
        start = time.process_time()
        call()
        if loop >= LOOPS:
            times.append(time.process_time() - start)
    return statistics.median(times)


def row(twin, tool, answer, test, size, against=None):
    """Print a line of the table; return the times.

    Args:
        answer: takes rows of the model's own layout, returns logits.
        test: rows and labels.
        against: the times of float32.
    """
    x, y = test
    accuracy = float(np.mean(np.argmax(answer(x), -1) == y))
    times = [seconds(lambda: answer(x[:1])), seconds(lambda: answer(x))]
    ratios = [f"{was / now:.2f}" for was, now in zip(against or times, times, strict=True)]
    print(f"| {twin} | {tool} | {accuracy:.4f} | {size / 1024:,.0f} | {' | '.join(ratios)} |", flush=True)
    return times


def measure(name):
    twin = find(name)
    dataset = data.load(twin.data, dict(twin.data_options))
    run = torch_train.build(twin, dict(twin.small.arguments), seed=OPTIONS.seed)
    rows = len(dataset.train["x"])
    rng = np.random.default_rng(OPTIONS.seed)
    torch_train.prepare(run, twin.epochs * math.ceil(rows / twin.batch_size))
    orders = [rng.permutation(rows) for _ in range(twin.epochs)]
    torch_train.fit(run, dataset.train, orders, lambda epoch, losses: None)
    model = run.model.eval()
    in_torch, in_keras = (to_native(twin, side, {"x": dataset.test["x"]})["x"] for side in ("torch", "keras"))
    calibration = to_native(twin, "torch", {"x": dataset.train["x"][:CALIBRATION]})["x"]
    with tempfile.TemporaryDirectory() as folder:
        of_torch(name, model, (in_torch, dataset.test["y"]))
        of_onnx(name, model, (in_torch, dataset.test["y"]), calibration, Path(folder))
        of_keras(twin, run, (in_keras, dataset.test["y"]), Path(folder))


def of_torch(name, model, test):
    import copy

    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    def answer(model):
        def call(x):
            with torch.inference_mode():
                return model(torch.from_numpy(x)).numpy()

        return call

    def size(model):
        torch.save(model.state_dict(), buffer := io.BytesIO())
        return buffer.getbuffer().nbytes

    whole = row(name, "PyTorch, float32", answer(model), test, size(model))
    quantized = copy.deepcopy(model)
    quantize_(quantized, Int8DynamicActivationInt8WeightConfig())
    row(name, "PyTorch, torchao int8", answer(quantized), test, size(quantized), whole)


def of_onnx(name, model, test, calibration, folder):
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(CalibrationDataReader):
        def __init__(self):
            self.batches = iter([{"x": part} for part in np.array_split(calibration, 8)])

        def get_next(self):
            return next(self.batches, None)

    file, prepared = folder / "whole.onnx", folder / "prepared.onnx"
    onnx.write(Model("torch", "", model, {"x": calibration[:2]}, None), file)
    quant_pre_process(str(file), str(prepared))
    dynamic, static = folder / "dynamic.onnx", folder / "static.onnx"
    quantize_dynamic(str(prepared), str(dynamic), weight_type=QuantType.QInt8)
    quantize_static(str(prepared), str(static), Rows(), per_channel=True)
    whole = None
    for tool, each in {"float32": file, "dynamic int8": dynamic, "static int8": static}.items():
        try:
            loaded = onnx.load(each, name)
        except Exception as error:
            print(f"| {name} | ONNX Runtime, {tool} | {type(error).__name__}: {' '.join(str(error).split())[:150]} |")
            continue
        call = lambda x, loaded=loaded: next(iter(loaded({"x": x}).values()))
        times = row(name, f"ONNX Runtime, {tool}", call, test, each.stat().st_size, whole)
        whole = whole or times


def of_keras(twin, native, test, folder):
    run = keras_train.build(twin, dict(twin.small.arguments), seed=OPTIONS.seed)
    crossing = Crossing("keras", keras_train.describe(run), torch_train.describe(native), twin)
    keras_train.load_weights(run, crossing.out(torch_train.dump_weights(native)))
    model, whole = run.model, None
    for tool in ("float32", "int8"):
        if tool == "int8":
            model.quantize("int8")
        file = folder / f"{tool}.weights.h5"
        model.save_weights(file)
        call = lambda x: model.predict(x, batch_size=256, verbose=0)
        times = row(twin.name, f"Keras on {OPTIONS.backend}, {tool}", call, test, file.stat().st_size, whole)
        whole = whole or times


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("| twin | tool | accuracy | KiB | one row, times as fast | test data, times as fast |")
    print("|---|---|---|---|---|---|")
    for each in OPTIONS.names:
        measure(each)
