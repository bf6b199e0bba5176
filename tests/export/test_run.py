"""What a run of exports does with its workers; they compute with NumPy, in the test's own process."""

from dataclasses import replace

import numpy as np
import pytest

from compare.engines import pool
from compare.engines.engine import ENGINES
from compare.engines.process import WorkerFailed
from compare.export import run
from compare.record.measurement import ExportMeasurement
from compare.record.record import RunRecord
from tests.helpers.in_process import in_process
from twin import arrays
from twin.catalogue import TWINS
from twin.paths import ROOT

KERNEL = np.random.default_rng(0).standard_normal((64, 10)).astype(np.float32)
NAMES = ("mlp", "stacked_autoencoder")  # both take rows of 64 numbers
FORMATS = ("onnx", "litert")


class Numpy:
    """The operations that an export asks for, on a model that is one product of matrices."""

    def __init__(self, context):
        self.context, self.kernel = context, KERNEL

    def hello(self, device):
        return {"versions": {"numpy": "2"}, "device": device}

    def build(self, twin, arguments, dtype, seed, layout=""):
        self.kernel = KERNEL
        leaf = {"path": "dense", "kind": "Dense", "shapes": {"weight": KERNEL.shape}, "trainable": ["weight"]}
        return {"leaves": [leaf]}

    def load(self, file):
        self.kernel = arrays.read(file)["dense.weight"]
        return {}

    def dump(self, out):
        arrays.write(out, {"dense.weight": self.kernel})
        return {}

    def fit(self, epochs, data_name, data_options, show, until_target):
        assert (epochs, data_name) in {(TWINS[name].epochs, TWINS[name].data) for name in NAMES}
        self.kernel = KERNEL * 3
        took = {"rows": 1, "seconds": 1.0, "epoch_seconds": [1.0] * epochs, "value": 0.9}
        return {"losses": {"loss": [1.0] * epochs}, "provenance": "made for this test"} | took

    def forward(self, batch, training, out):
        arrays.write(out, {"y": arrays.read(batch)["x"].astype(np.float32) @ self.kernel})
        return {}

    def forward_without(self, batch, place, out):
        return self.forward(batch, False, out) | {"activations": []}

    def latency(self, batch):
        return {"seconds": 1.0}

    def write_export(self, format, file, inputs, rows):
        if "refuses" in self.context.mode:
            raise ValueError("no such operator")
        if "imports" in self.context.mode:
            raise ModuleNotFoundError("No module named 'etils'")
        np.save(file, self.kernel)
        return {"seconds": 1.0, "tools": {}}

    def open_export(self, format, file, twin):
        if "cannot load" in self.context.mode:
            raise ValueError("no file of mine")
        if "runtime lacks" in self.context.mode:
            raise ModuleNotFoundError("No module named 'tensorstore.part'")
        self.kernel = np.load(f"{file}.npy")
        return {"seconds": 1.0, "tools": {}}

    def run_export(self, inputs, out):
        x = arrays.read(inputs)["x"]
        if "dies" in self.context.mode:
            raise WorkerFailed("crashed", "exit code -11")
        found = {"y": x @ self.kernel * (2 if "wrong" in self.context.mode else 1)}
        if "more" in self.context.mode:
            found["identity"] = found["y"]
        arrays.write(out, found)
        return {"order": list(found)}

    def stored_arrays(self, format, file, out):
        arrays.write(out, {})
        return {}

    def run_elsewhere(self, format, file, inputs, out):
        arrays.write(out, {})
        return {"order": []}

    def time_export(self, inputs):
        return {"seconds": 1.0}


@pytest.fixture
def carried_out(monkeypatch):
    """Carries out the cells of some engines; returns them by engine, and the workers that were started."""
    started = []

    def carry_out(*modes, trained=False):
        engines = [ENGINES["torch"], *(replace(ENGINES["torch"], name=f"torch:{mode}") for mode in modes)]
        planned = [
            ExportMeasurement(twin, engine.name, "cpu", "float32", 0, "small", format=format)
            for twin in NAMES
            for engine in engines
            for format in FORMATS
        ]
        Worker = in_process(Numpy)

        def start(*arguments):
            started.append(Worker(*arguments))
            return started[-1]

        for module in (run, pool):
            monkeypatch.setattr(module, "Worker", start)
        run.run(
            RunRecord("export", planned, None), engines, pool.Settings(), lambda measurement, word: None, None, trained
        )
        assert all(worker.closed for worker in started)
        return {mode: [c for c in planned if c.engine == f"torch:{mode}".rstrip(":")] for mode in ("", *modes)}, started

    return carry_out


def test_a_part_of_a_package_that_is_not_there_is_missing_as_a_package_is():
    said = run.not_installed({"no_such_package.part": "its-name", "numpy.linalg": "numpy", "numpy": "numpy"})
    assert said == "not installed: pip install --no-deps its-name"
    assert run.not_installed({"numpy.linalg": "numpy"}) == ""


def test_a_tool_that_hides_what_it_cannot_import_behind_its_own_words_is_not_installed():
    """Keras says so of litert-torch where that is there, and a package that it imports is not."""
    said = run.not_imported(
        "ImportError: To export to LiteRT, you must install the `litert-torch` package. Install via"
    )
    assert said == "not installed: litert-torch, or what it imports"
    assert run.not_imported("ValueError: no such operator") == ""


def test_a_reason_does_not_say_where_this_run_and_the_packages_lie(tmp_path):
    said = f"Load model from {tmp_path}/a.onnx failed, {ROOT}/torch_impl/train.py:3, in /x/lib/site-packages/keras/a.py"
    assert run.placeless(said, tmp_path) == "Load model from a.onnx failed, torch_impl/train.py:3, in keras/a.py"
    said = "raised from cpp_fused_5 at /tmp/twin-zc6e8ov5/worker-bgocbkrs/torchinductor/kernel.cpp:3"
    assert run.placeless(said, tmp_path) == "raised from cpp_fused_5 at torchinductor/kernel.cpp:3"


def test_a_runtime_stays_for_the_files_of_all_twins(carried_out):
    cells, started = carried_out()
    assert [cell.status for cell in cells[""]] == ["ok"] * 4
    assert [error.rows for error in cells[""][0].result.errors] == [1, 16]
    assert len(started) == 1 + len(FORMATS)


def test_a_trained_twin_is_exported_with_what_it_learned(carried_out, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Numpy, "write_export", lambda self, **f: seen.append(self.kernel) or {"seconds": 1.0, "tools": {}}
    )
    carried_out(trained=True)
    assert seen
    assert all(np.array_equal(kernel, KERNEL * 3) for kernel in seen)


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("refuses", "unsupported", "no such operator"),
        ("imports", "skipped", "not installed: etils, which the format's tool imports"),
        ("runtime lacks", "skipped", "not installed: tensorstore, which the format's tool imports"),
        ("cannot load", "failed", "damaged: the runtime cannot load what the exporter wrote"),
        ("wrong", "failed", "relative L2 1.0e+00 from the model"),
        ("more", "failed", "the file returns 2 outputs, the model 1"),
        ("dies", "crashed", "exit code -11"),
    ],
)
def test_what_goes_wrong_costs_its_own_cells_and_no_file_meets_the_runtime_of_a_wrong_one(
    mode, status, words, carried_out
):
    cells, started = carried_out(mode)
    assert [cell.status for cell in cells[""]] == ["ok"] * 4
    assert [cell.status for cell in cells[mode]] == [status] * 4
    assert [words in cell.reason for cell in cells[mode]] == [True] * 4, cells[mode][0].reason
    runtimes = len(started) - 2 - len(FORMATS)  # beside two engines, and the runtimes of the right one
    assert runtimes == {"refuses": 0, "imports": 0}.get(mode, 4)
