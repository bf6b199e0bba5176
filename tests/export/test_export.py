"""`twin export`: files of real exporters, run by real runtimes; what is not installed is left out with a line."""

import json
from dataclasses import replace
from importlib.util import find_spec

import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.export import formats, run
from compare.record.record import RunRecord, read_record
from tests.helpers.command import twin
from tests.helpers.planted_exports import ONNX, measured
from twin.catalogue import TWINS
from twin.errors import TwinError

MLP = [TWINS["mlp"]]
FIVE = ("mlp", "lenet", "unet", "gru", "vit")
# Beside the frameworks; without one of them, its cells are left out.
TOOLS = ("onnx", "onnxruntime", "onnxscript", "tf2onnx", "ai_edge_litert", "openvino")


def exported(measurements, engines, seconds=240.0):
    record = RunRecord("export", measurements, None)
    run.run(record, engines, Settings(timeout=seconds), lambda measurement, word: None)
    return record.measurements


@pytest.mark.parametrize("name", formats.names())
def test_a_format_names_its_title_its_tools_and_who_writes_it(name):
    format = formats.find(name)
    assert format.TITLE
    assert format.RUNTIME or name == "coreml"
    needs = {engine: format.needs(engine) for engine in ENGINES}
    assert any(isinstance(each, dict) for each in needs.values())
    assert all(len(each) > 20 for each in needs.values() if isinstance(each, str))


def test_an_unknown_format_is_named_with_those_that_there_are():
    with pytest.raises(TwinError, match=r"unknown format 'onyx'.*onnx"):
        run.plan(MLP, [ENGINES["torch"]], ["onyx"], "cpu", 0)


def test_a_tool_that_is_not_installed_is_said_with_the_line_for_pip(monkeypatch):
    monkeypatch.setattr(run, "find_spec", lambda package: None if package == "onnxscript" else "here")
    (cell,) = run.plan(MLP, [ENGINES["torch"]], ["onnx"], "cpu", 0)
    assert cell.status == "skipped"
    assert cell.reason == "not installed: pip install --no-deps onnxscript"


def test_what_nobody_writes_and_what_has_no_model_say_so():
    cells = run.plan([TWINS["mlp"], TWINS["train_loop"]], [ENGINES["torch"]], ["saved_model"], "cpu", 0)
    assert [cell.status for cell in cells] == ["not_offered", "skipped"]
    assert "no exporter" in cells[0].reason
    assert "has no model" in cells[1].reason


@pytest.mark.framework
def test_the_command_writes_a_record_and_keeps_the_files(tmp_path):
    answer = twin(
        "export", "mlp", "--to", "torch_export", "--engine", "torch", "--out", tmp_path, "--save", tmp_path / "files"
    )
    assert answer.returncode == 0, answer.stderr
    (path,) = tmp_path.glob("export-*.json")
    (cell,) = read_record(path).measurements
    assert cell.status == "ok"
    assert cell.result.batch == "any"
    assert [error.rows for error in cell.result.errors] == [1, 16]
    assert cell.result.worst < 1e-6
    assert cell.result.errors[1].from_reference < 1e-5
    assert cell.result.bytes == (tmp_path / "files" / "mlp-torch-torch_export.pt2").stat().st_size
    assert cell.result.load_seconds > 0
    assert "Files that answer as their models: 1 of 1." in answer.stdout
    assert json.loads(path.read_text())["measurements"][0]["format"] == "torch_export"


@pytest.mark.framework
@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("format", ["torch_export", pytest.param("onnx", marks=ONNX)])
def test_pytorchs_files_of_five_twins_answer_as_their_models(name, format):
    """In this process; the other engines and formats, whose processes take longer to start, are left to the next."""
    cell = measured(name, format, [])[""]
    assert cell.status == "ok", cell.reason
    assert [error.rows for error in cell.result.errors] == [1, 16]
    assert cell.result.worst < 1e-6


@pytest.mark.framework
@pytest.mark.long
@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_file_of_five_twins_answers_as_its_model(name, engine):
    if ENGINES[engine].missing():
        pytest.skip(f"{engine} is not installed")
    slow = ("executorch", "jax_export", "aot_inductor", "coreml")
    wanted = [f for f in formats.names() if f not in slow]
    cells = exported(run.plan([TWINS[name]], [ENGINES[engine]], wanted, "cpu", 0), [ENGINES[engine]])
    for cell in cells:
        assert cell.status in ("ok", "skipped", "not_offered", "unsupported"), f"{cell.format}: {cell.reason}"
        assert cell.status == "ok" or len(cell.reason) > 20
    if all(map(find_spec, TOOLS)):
        assert sum(cell.status == "ok" for cell in cells) >= 2


FAULTS = {
    "half": ("failed", "reduced precision: with weights rounded to float16"),
    "layout": ("failed", "wrong layout: the file takes height and width in the other order"),
    "activation": ("failed", "an activation too many: the file's outputs are tanh"),
    "batch": ("failed", "frozen batch: the file takes 1 row and no 16"),
    "other": ("failed", "has other weights, or is of another model"),
    "damaged": ("failed", "damaged: the runtime cannot load"),
    "hang": ("timeout", "no answer within"),
    "kill": ("crashed", "exit code 3"),
}


@pytest.fixture(scope="module")
def faulty():
    """One cell for each fault, planted in an engine of its own, and one without."""
    planted = [
        replace(ENGINES["torch"], name=f"torch:{fault}", module="tests.helpers.faulty_export") for fault in FAULTS
    ]
    engines = [*planted, ENGINES["torch"]]
    cells = exported(run.plan([TWINS["lenet"]], engines, ["torch_export"], "cpu", 0), engines, seconds=60)
    return {cell.engine.partition(":")[2]: cell for cell in cells}


@pytest.mark.framework
@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_exporter_costs_its_own_cell_and_is_named(fault, faulty):
    status, words = FAULTS[fault]
    assert faulty[fault].status == status, faulty[fault].reason
    assert words in faulty[fault].reason
    assert faulty[""].status == "ok", faulty[""].reason
