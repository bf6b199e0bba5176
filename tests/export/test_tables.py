"""Exports in tables, pages and comparisons; the records are made here."""

import pytest

from compare.record import exports
from compare.record.machine import Machine
from compare.record.measurement import ExportMeasurement, exit_code
from compare.record.record import SCHEMA, Record
from compare.record.results import ExportError, ExportResult
from compare.record.schema import from_plain, to_plain
from compare.report import diff, figures, markdown, page, tables
from compare.report.answers import answers
from compare.report.figures import Source
from tests.helpers.command import twin

ENGINES = ("torch", "keras-tensorflow", "keras-jax", "keras-torch")
FORMATS = ("executorch", "jax_export", "keras_file", "litert", "onnx", "openvino", "saved_model", "torch_export")


def cell(name, engine, format, status="ok", reason="", batch="any", worst=3e-7, size=250_000):
    result = None
    if status == "ok":
        errors = [ExportError(1, worst / 2, 1e-6, 1e-5), ExportError(16, worst, 1e-6, 1e-5)]
        result = ExportResult(batch, errors, "", size, 2.0, 0.01, 1e-4, 2e-4, {"onnx": "1.23.2"})
    return ExportMeasurement(name, engine, "cpu", "float32", 0, "small", status, reason, result=result, format=format)


def record(*cells, twins=("lenet", "transfer_learning")):
    measurements = list(cells) or [
        cell(
            twin, engine, format, *(("unsupported", "nobody writes it") if (len(engine) + len(format)) % 3 == 0 else ())
        )
        for twin in twins
        for engine in ENGINES
        for format in FORMATS
    ]
    return Record(SCHEMA, "export", None, Machine.here(), {}, {}, {}, "code", measurements)


def test_a_record_is_read_as_it_was_written():
    assert from_plain(Record, to_plain(record(), Record)) == record()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = tables.of_record(record(), explain=True).splitlines()
    assert max(map(len, lines)) <= columns


def test_a_cell_says_how_far_its_file_is_or_why_there_is_none():
    assert exports.word(cell("lenet", "torch", "onnx")) == "3e-07"
    assert exports.word(cell("lenet", "torch", "onnx", worst=0.0)) == "exact"
    assert exports.word(cell("lenet", "torch", "onnx", batch="fixed")) == "3e-07 fixed"
    assert [
        exports.word(cell("lenet", "torch", "onnx", s)) for s in ("unsupported", "skipped", "failed", "timeout")
    ] == [
        "no",
        "-",
        "WRONG",
        "timeout",
    ]


def test_a_file_that_its_runtime_refuses_is_told_from_one_that_answers_wrongly():
    refused = ("damaged: the runtime cannot load it", "the runtime does not run it: no operation Erfc")
    wrong = ("relative L2 1e-02 from the model", "the file returns 20 outputs, the model 1")
    cells = [cell("lenet", "torch", "onnx", "failed", reason) for reason in (*refused, *wrong)]
    assert [*map(exports.word, cells)] == ["refused", "refused", "WRONG", "WRONG"]
    said = "0 of 4; the runtime refuses the file: 2; other outputs than the model's: 2"
    assert exports.counted(cells) == f"Files that answer as their models: {said}."


def test_the_same_reason_is_said_once_with_its_twins():
    cells = [cell(twin, "torch", "onnx", "unsupported", "no such operator") for twin in ("lenet", "vit")]
    assert exports.reasons(cells) == ["onnx from torch (lenet, vit): no such operator"]
    assert (
        exports.counted([*cells, cell("gru", "torch", "onnx")])
        == "Files that answer as their models: 1 of 3; the exporter refuses: 2."
    )


def test_a_cell_that_belongs_to_another_framework_is_not_counted_as_one_that_could_work():
    cells = [cell("gru", "torch", "onnx"), cell("gru", "torch", "jax_export", "not_offered", "only JAX writes it")]
    assert (
        exports.counted(cells)
        == "Files that answer as their models: 1 of 1. Not counted: 1 whose format belongs to the other framework."
    )
    assert exports.matrix(cells)[1] == [["gru", "torch", "3e-07", ""]]
    assert exit_code(cells) == 0


def test_every_report_has_the_cells():
    sources = [Source("run", record())]
    assert "| lenet" in markdown.of_sources(sources)
    html = page.of_sources(sources)
    assert "Exported files" in html
    assert html.count("<td>3e-07</td>") >= 8
    assert "All twins" not in html
    rows = figures.figures(sources)
    assert any(row.quantity == "onnx, 16 rows: relative L2 from the model" and row.value == 3e-7 for row in rows)
    assert any(row.status == "unsupported" and row.value is None for row in rows)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([cell("lenet", "torch", "onnx")], "Yes: 1 of 1 file does, within 3e-07 (relative L2)."),
        (
            [cell("lenet", "torch", "onnx"), cell("vit", "torch", "onnx", "failed", "lost activation")],
            "Not all: 1 of 2 files does, within 3e-07 (relative L2); not vit from torch as onnx.",
        ),
        ([cell("lenet", "torch", "onnx", "unsupported", "no such operator")], "Not known: no file was run."),
    ],
)
def test_every_report_begins_with_what_became_of_the_files(cells, said):
    source = Source("run", record(*cells))
    (answer,) = answers(cells, [], {})
    assert f"{answer.short}: {answer.text}" == said
    assert tables.of_record(source.record).startswith(answer.question)
    assert f"**{answer.question}** {said}" in markdown.of_sources([source])
    html = page.of_sources([source])
    assert f'<h3>{answer.question}</h3><p class="large {answer.look}">{answer.short}</p>' in html


def test_a_page_of_exports_has_no_table_of_trainings_and_does_not_say_that_nothing_failed():
    html = page.of_sources([Source("run", record(cell("lenet", "torch", "onnx", "failed", "lost activation")))])
    assert "median step ratio" not in html
    assert "no comparison failed" not in html
    assert "<dd>float32. TF32 off" in html


CHANGES = {
    "a file that no longer works": ({"status": "unsupported", "reason": "no such operator"}, "export", "regression"),
    "a file that has become wrong": ({"status": "failed", "reason": "lost activation"}, "export", "regression"),
    "a batch that has become fixed": ({"batch": "fixed"}, "export", "regression"),
    "a precision that was halved": ({"worst": 3e-3}, "distance from the model", "moved"),
    "a file twice as large": ({"size": 500_000}, "size", "moved"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_comparison_says_what_an_upgrade_broke(change):
    fields, name, outcome = CHANGES[change]
    others = [cell("lenet", "torch", "litert"), cell("vit", "torch", "onnx")]
    before, after = (
        record(cell("lenet", "torch", "onnx"), *others),
        record(cell("lenet", "torch", "onnx", **fields), *others),
    )
    found = diff.compare(before, after)
    (moved,) = [figure for figure in found.figures if figure.outcome != "same"]
    assert (moved.twin, moved.engine, moved.name, moved.outcome) == ("lenet", "torch, onnx", name, outcome)
    assert moved.why == fields.get("reason", "") or outcome != "regression"
    assert found.exit_code() == (outcome == "regression")
    back = diff.compare(after, before)
    assert not any(figure.outcome == "regression" for figure in back.figures)


def test_what_was_not_installed_in_one_record_is_not_compared():
    before = record(cell("lenet", "torch", "onnx"), cell("lenet", "torch", "litert"))
    after = record(cell("lenet", "torch", "onnx", "skipped", "not installed"), cell("lenet", "torch", "litert"))
    assert "skipped in NEW" in diff.compare(before, after).not_compared[0]


def test_the_command_names_the_cell_that_an_upgrade_broke(tmp_path):
    cells = [cell(twin, engine, "onnx") for twin in ("lenet", "vit", "gru") for engine in ENGINES]
    (tmp_path / "old.json").write_text(record(*cells).to_text())
    broken = cell("vit", "keras-jax", "onnx", "failed", "lost activation: without gelu at dense1 (3 of 9)")
    now = [broken if (each.twin, each.engine) == ("vit", "keras-jax") else each for each in cells]
    (tmp_path / "new.json").write_text(record(*now).to_text())
    same = twin("diff", "old.json", "old.json", cwd=tmp_path)
    assert same.returncode == 0, same.stderr
    answer = twin("diff", "old.json", "new.json", cwd=tmp_path)
    assert answer.returncode == 1
    lines = [line for line in answer.stdout.splitlines() if "vit" in line]
    assert lines
    assert "keras-jax, onnx" in " ".join(lines)
    assert "lost activation: without gelu at dense1" in " ".join(answer.stdout.split())
    assert "gru" not in answer.stdout
