"""Records that anybody may have written or changed: one line and exit code 2, or what they truly say."""

import contextlib
import csv
import io
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.cli import main as cli
from compare.record.lock import writing
from compare.record.record import read_record
from tests.helpers import mutations, synthetic
from tests.helpers.attack import CHECK, fake, left_of, mostly_long, running, wait_until
from twin.errors import TwinError
from twin.untrusted import CONTROLS, NoJson, json_of, printable

SOUND = json.loads(synthetic.record(2, ("torch", "keras-jax"), seeds=2, process_runs=2, troubles=False).to_text())
SEEDS = 200


def answer_to(*arguments):
    """Exit code, output and complaints of a command in this process, with a traceback where it has one."""
    out, complaints = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
        patch.setattr(sys, "argv", ["twin", *map(str, arguments)])
        patch.setattr(cli, "_kept", _raise)
        code = cli.run()
    return code, out.getvalue(), complaints.getvalue()


def _raise(error):
    raise error


def changed(change, number=0):
    """The sound record with one measurement changed."""
    record = json.loads(json.dumps(SOUND))
    change(record["measurements"][number])
    return json.dumps(record)


def first(measure):
    return next(at for at, each in enumerate(SOUND["measurements"]) if each["measure"] == measure)


DEEP = 100_000
REFUSED = {
    "nested arrays": ("[" * DEEP + "]" * DEEP, "it is nested too deep"),
    "nested objects": ('{"a":' * DEEP + "1" + "}" * DEEP, "it is nested too deep"),
    "nested within": ('{"schema":3,"measurements":' + "[" * DEEP + "]" * DEEP + "}", "it is nested too deep"),
    "nested in an old one": ('{"schema":2,"cells":' + "[" * 900 + "]" * 900 + "}", "no record of twin, or damaged"),
    "many digits": ('{"schema":3,"measurements":[1' + "0" * 5000 + "]}", "a number has too many digits"),
    "many digits of a schema": ('{"schema":1' + "0" * 5000 + "}", "a number has too many digits"),
    "infinity": (changed(lambda m: m["result"]["rungs"][2]["worst"].update(rel_l2=float("inf"))), "Infinity"),
    "no number": (changed(lambda m: m["result"]["rungs"][2]["worst"].update(rel_l2=float("nan"))), "NaN"),
    "too large": (json.dumps(SOUND | {"code": 0}).replace('"code": 0', '"code": 1e999'), "1e999 is no number"),
    "schema is true": ('{"schema":true,"measurements":[]}', "it has no schema"),
    "schema is infinite": ('{"schema":Infinity,"measurements":[]}', "Infinity is no number"),
    "nothing": ("", "is empty"),
    "a list": ("[1, 2]", "it has no schema"),
    "latin-1": (b'{"schema": "\xe9"}', "no text in UTF-8"),
    "utf-16": ('{"schema": 3}'.encode("utf-16"), "no text in UTF-8"),
    "zeros": (bytes(100), "no record"),
    "no rungs": (changed(lambda m: m["result"].update(rungs=[])), "is 'ok', but no rung was measured"),
    "no result": (changed(lambda m: m.update(result=None)), "is 'ok', but no rung was measured"),
    "outputs that were not compared": (
        changed(lambda m: m["result"].update(rungs=m["result"]["rungs"][:2])),
        "is 'ok', but its outputs were not compared",
    ),
    "an error beyond its limit": (
        changed(lambda m: m["result"]["rungs"][2]["worst"].update(rel_l2=0.5)),
        "is 'ok', but its rung forward is beyond its limit",
    ),
    "noise beyond its limit": (
        changed(lambda m: m["result"]["rungs"][3]["worst"].update(noise_ratio=11.0, noise_limit=10.0)),
        "is 'ok', but its rung gradients is beyond its limit",
    ),
    "rungs in no order": (
        changed(lambda m: m["result"]["rungs"].reverse()),
        "which is not their order",
    ),
    "a rung that is there twice": (
        changed(lambda m: m["result"]["rungs"].append(m["result"]["rungs"][-1])),
        "trajectory, trajectory, which is not their order",
    ),
    "a distance below zero": (
        changed(lambda m: m["result"]["rungs"][2]["worst"].update(rel_l2=-1.0)),
        "expected a distance that is not negative",
    ),
    "a rung without an error": (
        changed(lambda m: m["result"]["rungs"][2]["worst"].update(rel_l2=None)),
        "is 'ok', but its rung forward has no finite error",
    ),
    "a failed rung": (
        changed(lambda m: m["result"]["rungs"][1].update(status="failed")),
        "is 'ok', but its rung weights failed",
    ),
    "no process run": (
        changed(lambda m: m["result"].update(process_runs=[]), first("bench")),
        "is 'ok', but no process run was timed",
    ),
    "speed of what differs": (
        changed(lambda m: m["result"].update(agrees=False), first("bench")),
        "is 'ok', but its pair was not found to agree",
    ),
    "no value": (changed(lambda m: m["result"].update(value=None), first("train")), "is 'ok', but it has no value"),
    "twice": (
        json.dumps(SOUND | {"measurements": [*SOUND["measurements"], SOUND["measurements"][0]]}),
        "is in it twice",
    ),
    "twice and different": (
        json.dumps(
            SOUND
            | {"measurements": [*SOUND["measurements"], SOUND["measurements"][0] | {"status": "failed"}]}
        ),
        "is in it twice, as ok and as failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_record_of_a_run_is_one_line(kind, tmp_path):
    content, says = REFUSED[kind]
    file = tmp_path / "record.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, complaints = answer_to("report", file)
    assert (code, out) == (2, ""), complaints
    assert says in complaints
    assert len(complaints.splitlines()) == 1
    assert len(complaints) < 500


@pytest.mark.parametrize("path", ["/dev/zero", "/", "\udcff"])
def test_what_cannot_be_read_to_its_end_is_one_line(path):
    code, _, complaints = answer_to("report", path)
    assert code == 2
    assert complaints.startswith("twin: cannot read ")
    assert len(complaints.splitlines()) == 1


@pytest.mark.parametrize("part", mostly_long(range(10)))
def test_no_mutation_of_a_record_gets_through(part, tmp_path):
    """Refused in one line, or reported without a fault."""
    sound, file = tmp_path / "sound.json", tmp_path / "mutated.json"
    sound.write_text(json.dumps(SOUND))
    for seed in range(part * SEEDS // 10, (part + 1) * SEEDS // 10):
        if seed % 4:
            file.write_text(mutations.text_of(mutations.of_json(SOUND, seed)))
        else:
            file.write_bytes(mutations.of_bytes(json.dumps(SOUND).encode(), seed))
        for arguments in (
            ["report", file, "--csv", tmp_path / "r.csv", "--md", tmp_path / "r.md", "--html", tmp_path / "r.html"],
            ["report", file],
            ["diff", sound, file, "--all", "--md", tmp_path / "d.md"],
            ["diff", file, sound],
        ):
            code, _, complaints = answer_to(*arguments)
            assert code in (0, 1, 2), (seed, complaints)
            assert code != 2 or len(complaints.splitlines()) == 1, (seed, complaints)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=100)
@given(JSON)
def test_any_json_is_a_record_or_is_refused(tmp_path_factory, value):
    file = tmp_path_factory.getbasetemp() / "any.json"
    for content in (
        value,
        {"schema": 3, "measurements": value},
        {"schema": 2, "cells": value},
        SOUND | {"versions": value},
    ):
        file.write_text(json.dumps(content))
        with contextlib.suppress(TwinError):
            assert read_record(file).measurements


@settings(deadline=None, max_examples=200)
@given(JSON)
def test_a_value_without_control_characters_is_read_as_it_was_written(value):
    text = json.dumps(value)
    try:
        found = json_of(text)
    except NoJson:
        assert "NaN" in text or "Infinity" in text
    else:
        assert json.dumps(found) == json.dumps(_printable(value))


def test_colours_are_left_out_and_other_control_characters_replaced():
    assert printable("\x1b[1mno\x1b[0;31m such \x1b]0;t\x07 op\x1b[m") == "no such \ufffd]0;t\ufffd op"


def _printable(value):
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return {printable(n): _printable(each) for n, each in value.items()} if isinstance(value, dict) else value


POISON = '=HYPERLINK("x")|\x1b]0;t\x07\x9b31m\u202e<b>`\\[x](y)'


def poisoned():
    def change(each):
        each.update(status="crashed", reason=POISON, twin=POISON, result=None)

    return changed(change)


@pytest.mark.parametrize("arguments", [[], ["--md", "-"], ["--csv", "-"], ["--html", "/dev/stdout"]])
def test_no_control_character_of_a_record_is_printed_and_no_formula_is_computed(arguments, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(poisoned())
    answer = fake(tmp_path, "report", file, *arguments)
    assert answer.returncode in (0, 1), answer.stderr
    text = answer.stdout + answer.stderr
    assert "HYPERLINK" in text
    assert not CONTROLS.search(text)
    if arguments[:1] == ["--csv"]:
        cells = [cell for row in csv.reader(io.StringIO(answer.stdout)) for cell in row]
        assert not any(cell.startswith(("=", "@", "+")) for cell in cells)
    if arguments[:1] == ["--md"]:
        assert "<b>" not in answer.stdout.replace("\\<b\\>", "")
        assert "](y)" not in answer.stdout.replace("\\]", "")


def test_a_record_that_is_written_by_another_process_is_not_continued(tmp_path):
    with running(tmp_path, *CHECK, env={"TWIN_FAULT": "spin"}) as process:
        wait_until(lambda: list((tmp_path / "runs").glob("*.json")))
        (record,) = (tmp_path / "runs").glob("*.json")
        before = record.read_text()
        answer = fake(tmp_path, *CHECK, "--resume", record)
        assert answer.returncode == 2
        assert f"process {process.pid} on " in answer.stderr
        assert "still writes it" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1
        assert record.read_text().count("not_run") <= before.count("not_run")
        process.kill()
    wait_until(lambda: not left_of(tmp_path))
    (tmp_path / "runs" / f".{record.name}.{process.pid}").touch()  # as if it had been killed while it wrote
    answer = fake(tmp_path, *CHECK, "--resume", record)  # the kernel has let go of the lock
    assert answer.returncode == 0, answer.stderr
    assert [each.name for each in (tmp_path / "runs").iterdir()] == [record.name]


def test_a_lock_is_let_go_of_and_leaves_no_file(tmp_path):
    for _ in range(2):
        with writing(tmp_path / "record.json", "--out"):
            assert len(list(tmp_path.iterdir())) == 1
            code = (
                "import sys; from pathlib import Path; from compare.record.lock import writing\n"
                "with writing(Path(sys.argv[1]), '--out'): pass"
            )
            other = subprocess.run(
                [sys.executable, "-c", code, tmp_path / "record.json"], capture_output=True, text=True, timeout=60
            )
            assert "still writes it" in other.stderr
        assert list(tmp_path.iterdir()) == []


def test_losses_that_no_axis_holds_have_diverged(tmp_path):
    file = tmp_path / "record.json"
    file.write_text(
        changed(lambda each: each["result"].update(loss={"loss": [1.0, 1e308, -1e308, 1e101]}), first("train"))
    )
    for arguments in (["report", file, "--html", tmp_path / "page.html"], ["diff", file, file], ["report", file]):
        assert answer_to(*arguments)[0] == 0
    trained = read_record(file).measurements[first("train")]
    assert str(trained.result.loss["loss"]) == "[1.0, nan, nan, nan]"


EXPORTED = {
    "a row less": ({"rows": 0}, "rows: expected greater than or equal to 1, got 0"),
    "beyond its limit": ({"from_model": 0.5}, "is 'ok', but an error is beyond its limit"),
    "no limit": ({"limit": None}, "is 'ok', but an error is beyond its limit"),
}


@pytest.mark.parametrize("kind", EXPORTED)
def test_an_exported_file_that_is_said_to_agree_does(kind, tmp_path):
    change, says = EXPORTED[kind]
    file = tmp_path / "record.json"
    record = json.loads(json.dumps(SOUND))
    error = {"rows": 1, "from_model": 1e-7, "from_reference": 1e-7, "limit": 1e-5} | change
    exported = {"measure": "export", "format": "onnx", "result": {"batch": "any", "errors": [error]}}
    record["measurements"].append(record["measurements"][0] | exported)
    file.write_text(json.dumps(record))
    code, _, complaints = answer_to("report", file)
    assert code == 2
    assert says in complaints


OUTSIDE = {
    "dtype": ["float9", "", "float32 ", "FLOAT32", "float16"],
    "device": ["gpu", "tpu", "", "cpu:0"],
    "size": ["large", "", "Small"],
    "seed": [-1, 2**32, 10**400],
    "status": ["fine", "", "OK"],
    "measure": ["weigh", "", "Check"],
    "twin": ["", "x" * 5000],
    "engine": ["", "x" * 5000],
}


@pytest.mark.parametrize(("field", "value"), [(name, each) for name, values in OUTSIDE.items() for each in values])
def test_a_value_that_no_run_writes_is_named_with_its_field(field, value, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(changed(lambda each: each.update({field: value})))
    code, out, complaints = answer_to("report", file)
    assert (code, out) == (2, ""), complaints
    assert len(complaints.splitlines()) == 1
    assert f"measurements[0].{field}: expected " in complaints or field == "measure"
    assert "expected one of" in complaints or field in ("seed", "twin", "engine", "status")
    assert repr(value)[:30] in complaints
    assert len(complaints) < 500


@pytest.mark.parametrize("field", ["twin", "engine"])
def test_a_twin_or_an_engine_of_another_version_is_shown_by_its_name(field, tmp_path):
    file = tmp_path / "record.json"
    record = json.loads(json.dumps(SOUND))
    for each in record["measurements"]:
        if each[field] == SOUND["measurements"][0][field]:
            each[field] = "hyperlenet"
    file.write_text(json.dumps(record))
    for arguments in (["report", file], ["report", file, "--md", "-"], ["diff", file, file, "--all"]):
        code, out, complaints = answer_to(*arguments)
        assert code == 0, complaints
        assert "hyperlenet" in out
    assert answer_to("report", file, "--html", tmp_path / "page.html", "--csv", tmp_path / "table.csv")[0] == 0
    assert "hyperlenet" in (tmp_path / "page.html").read_text()


def test_a_date_that_is_none_is_one_line(tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(SOUND | {"started": "yesterday"}))
    code, out, complaints = answer_to("report", file)
    assert (code, out) == (2, "")
    assert "started: expected a date in ISO 8601, got 'yesterday'" in complaints
