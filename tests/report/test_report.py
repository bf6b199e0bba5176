"""`twin report`: what it says, what it leaves out, and the page in a browser. Most records here are made up."""

import copy
import csv
import errno
import io
import json
import math
import os
import re

import numpy as np
import pandas
import pytest

from compare.cli.commands.report import report as command
from compare.record import pictures as shown
from compare.record import schema as form
from compare.record.files import as_lines, write_text
from compare.report import figures, markdown
from compare.report import page as page_report
from compare.report import tables as report
from compare.report.figures import Source
from tests.helpers import synthetic
from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations
from tests.helpers.command import twin
from twin.errors import TwinError

COMPUTED = ("check", "bench")


def page(*records):
    return page_report.of_sources([Source.of(record, f"run_{at}") for at, record in enumerate(records)])


@pytest.fixture(scope="module")
def small():
    """Six twins on every engine and mode, with troubles; no training."""
    return synthetic.record(6, measures=COMPUTED)


@pytest.fixture(scope="module")
def whole():
    """Everything, of two twins."""
    return synthetic.record(2, seeds=12)


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_tables_fit_eighty_columns(seeds):
    lines = report.of_record(synthetic.record(24, seeds=seeds)).splitlines()
    tables = [line for line in lines if not re.match(r"\S+ on \S+ \(float32", line)]  # reasons are as long as they are
    assert max(map(len, tables)) <= 80
    for engine in synthetic.ENGINES:
        assert sum(line.split()[:1] == [engine] for line in tables) >= 48, engine


def test_a_pair_that_does_not_agree_has_no_speed_anywhere(small):
    record = copy.deepcopy(small)
    cell = next(c for c in record["cells"] if c["measure"] == "bench" and c["engine"] == "keras-jax" and c["agrees"])
    cell["agrees"] = False
    for quantity in cell["speed"].values():
        quantity["estimate"] = 77.77
    for each in cell["rounds"]:
        each["peak_memory_mib"] = 77777.0
    sources = [Source.of(record)]
    told = [
        report.of_record(record),
        markdown.of_sources(sources),
        figures.to_csv(figures.figures(sources)),
        page_report.of_sources(sources),
    ]
    for text in told:
        assert "77.77" not in text
        assert not re.search(r"77,?777", text)
    for text in (told[0], told[1], told[3]):
        assert "does not agree" in text


def test_what_a_ratio_is_and_what_is_unlike_is_said_in_words(small):
    text = " ".join(report.of_record(small).split())
    assert "time over that of torch: above 1 is slower" in text
    assert "torch against a copy of itself is within step 3.5%" in text
    assert "10 rounds of fresh processes, 2 threads each" in text
    assert "Not like for like: torch runs eager, torch:compile, keras-tensorflow, keras-jax" in text
    assert "TF32 off" in text


def test_one_round_has_no_interval():
    record = synthetic.record(1, rounds=1, engines=("torch", "keras-jax"), measures=("bench",))
    for cell in record["cells"]:
        for speed in cell["speed"].values():
            speed |= {"low": 0.0, "high": math.inf, "band": math.inf}
    text = report.of_record(record)
    assert "no verdict" in text
    assert "[" not in text.split("step [95%]")[1].split("rows/s")[0]
    assert "unknown (one round)" in text
    assert 'class="span' not in page(record)


def test_nothing_measured_is_reported_as_such(whole):
    record = copy.deepcopy(whole)
    for at, cell in enumerate(record["cells"]):
        kept = {name: cell[name] for name in (*form.IDENTITY, "seed")}
        record["cells"][at] = kept | {"status": "not_run", "reason": ""}
    assert f"{len(record['cells'])} cells not run" in report.of_record(record)
    text = page(record)
    assert "No check came to a result" in text
    assert "No timing came to a result" in text
    assert "No training came to a result" in text
    rows = list(csv.DictReader(io.StringIO(figures.to_csv(figures.figures([Source.of(record, "r")])))))
    assert {row["status"] for row in rows} == {"not_run"}
    assert {row["value"] for row in rows} == {""}


def test_csv_reads_back_as_it_was_written(whole):
    found = figures.figures([Source.of(whole, "a record, with a comma")])
    text = figures.to_csv(found)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(found)
    assert set(rows[0]) == set(figures.Figure.__dataclass_fields__)
    frame = pandas.read_csv(io.StringIO(text))
    assert set(frame.record) == {"a record, with a comma"}
    cell = next(c for c in whole["cells"] if c["measure"] == "bench" and c["engine"] == "keras-jax")
    mine = frame[(frame.twin == cell["twin"]) & (frame.engine == "keras-jax") & (frame.measure == "bench")]
    step = mine[mine.quantity == "step: time over that of torch"].iloc[0]
    assert step["value"] == pytest.approx(cell["speed"]["step"]["estimate"])
    assert (step["unit"], step["verdict"]) == ("ratio", cell["speed"]["step"]["verdict"])
    seconds = mine[mine.quantity == "first_step: time"].iloc[0]
    assert seconds["value"] == pytest.approx(np.median([each["first_step"] for each in cell["rounds"]]))
    trained = frame[(frame.measure == "train") & (frame.quantity == "accuracy") & (frame.engine == "torch")]
    assert sorted(trained.seed) == sorted(list(range(12)) * len(set(trained.twin)))
    over_seeds = frame[(frame.measure == "train") & frame.seed.isna()]
    assert set(over_seeds.verdict) <= {"equal", "better", "worse", "inconclusive", "none"}
    assert len(over_seeds) == 2 * 7


def test_markdown_tables_are_whole_and_words_stay_words(whole):
    record = copy.deepcopy(whole)
    record["cells"][0]["reason"] = "a | pipe, *stars* and <b>tags</b>"
    record["cells"][0]["status"] = "crashed"
    text = markdown.of_sources([Source.of(record, "run")])
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"a \| pipe, \*stars\* and \<b\>tags\</b\>" in text


def test_what_a_record_says_cannot_become_markup(whole):
    record = copy.deepcopy(whole)
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    record["machine"] |= {"processor": evil, "system": evil}
    for cell in record["cells"]:
        cell |= {"twin": cell["twin"] + evil, "reason": evil}
        for rung in cell.get("rungs", []):
            for tensor in rung["tensors"]:
                tensor["name"] = evil
        if cell["measure"] == "train":
            cell |= {"metric": evil, "provenance": evil, "loss": {evil: [1.0, 0.5]}}
    text = page(record)
    assert "alert(1)" in text
    assert "<script" not in text
    assert "<img src=x" not in text


def test_records_of_two_machines_stay_apart(small):
    other = copy.deepcopy(small)
    other["machine"]["processor"] = "Another processor"
    text = page(small, other)
    assert text.count('id="p1-twins"') == text.count('id="p2-twins"') == 1
    assert "Another processor" in text
    assert len(page_report.together([Source.of(small, "a"), Source.of(other, "b")])) == 2
    told = report.of_sources([Source.of(small, "here"), Source.of(other, "there")])
    assert told.index("here: compare") < told.index("A processor of 16 cores") < told.index("there: compare")


def test_records_of_one_machine_are_told_together_unless_they_measured_the_same():
    parts = [synthetic.record(2, measures=(each,), troubles=False) for each in COMPUTED]
    sources = [Source.of(part, str(at)) for at, part in enumerate(parts)]
    assert len(page_report.together(sources)) == 1
    assert len(page_report.together([*sources, Source.of(parts[1], "again")])) == 2
    newer = copy.deepcopy(parts[1])
    newer["versions"]["torch"]["torch"] = "9.9"
    assert len(page_report.together([sources[0], Source.of(newer, "newer")])) == 2


def test_a_report_of_sixty_twins_on_eight_engines_stays_under_five_megabytes():
    text = page(synthetic.record())
    assert len(text.encode()) < 5e6
    assert text.count('<section class="twin"') == 62
    assert len(re.findall(r"<svg [^>]*role=\"img\"", text)) >= 1000


def test_every_picture_has_words(whole):
    text = page(whole)
    assert len(re.findall(r"<svg (?![^>]*(role=\"img\" aria-label=\"[^\"]{8,}\"|aria-hidden))", text)) == 0
    assert len(re.findall(r"<img (?![^>]*alt=\"[^\"]{8,}\")", text)) == 0


def broken(**changes):
    record = synthetic.record(1, engines=("torch",), measures=("check",), troubles=False)
    return json.dumps(record | changes)


def with_cell(**changes):
    cell = synthetic.record(1, engines=("torch",), measures=("check",), troubles=False)["cells"][0]
    return broken(cells=[{name: value for name, value in (cell | changes).items() if value is not ...}])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "was cut off"),
        (broken()[:-40], "was cut off"),
        ("\x00\xff", "was cut off"),
        ("[1, 2]", "no schema and cells"),
        (broken(schema=99), "schema 99; this version reads up to 2: upgrade"),
        (broken(cells=[]), "has no cells"),
        (broken(cells={}), "cells is {}"),
        (broken(cells=[7]), "a cell is 7, no object"),
        (broken(machine=None), "machine is None"),
        (with_cell(engine=...), "a cell has no 'engine'"),
        (with_cell(seed="zero"), "a cell.seed is 'zero'"),
        (with_cell(rungs=[{"rung": "forward", "status": 3}]), "a cell.rungs[0].status is 3"),
        (with_cell(measure="train", metric="accuracy"), "a cell has no 'goal'"),
        (None, "cannot read"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) and not value.startswith("{") else "",
)
def test_what_is_no_record_is_one_line(content, says, tmp_path):
    file = tmp_path / "record.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TwinError) as failure:
        command([file])
    assert says in str(failure.value)
    assert str(failure.value).count("\n") == 0
    assert failure.value.exit_code == 2


def test_the_command_line_tells_bad_input_in_one_line(tmp_path):
    (tmp_path / "cut.json").write_text(broken()[:-40])
    (tmp_path / "good.json").write_text(broken())
    for arguments, says in (
        (["cut.json"], "cut off"),
        (["good.json", "--html", "/dev/null/x.html"], "cannot write /dev/null/x.html"),
        (["good.json", "--md", "-", "--csv", "-"], "stdout takes one of them"),
        ([], "RECORDS"),
    ):
        answer = twin("report", *arguments, cwd=tmp_path)
        assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1), answer.stderr
        assert says in answer.stderr


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "page.html"
    write_text(file, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TwinError, match=r"cannot write .*page\.html: No space left on device; .*--html"):
        write_text(file, "new", "--html")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_record_has_a_line_per_cell(small):
    text = as_lines(small)
    assert json.loads(text) == small
    assert text.count("\n") < len(small["cells"]) + 100
    assert json.loads(as_lines({"schema": 1, "cells": []})) == {"schema": 1, "cells": []}


@pytest.mark.framework
def test_a_finished_run_and_its_report_print_the_same(tmp_path):
    run = twin("train", "mlp", "--engine", "torch", "--epochs", "1", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    (record,) = (tmp_path / "runs").glob("train-*.json")
    answer = twin("report", os.fspath(record), cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, run.stdout)
    files = ["--html", "a/page.html", "--md", "page.md", "--csv", "figures.csv"]
    answer = twin("report", os.fspath(record), *files, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
    text = (tmp_path / "a" / "page.html").read_text()
    assert "real, shipped in scikit-learn" in text
    assert 'alt="input: the first 8 rows of the test part"' in text
    assert "| mlp" in (tmp_path / "page.md").read_text()
    assert "accuracy" in set(pandas.read_csv(tmp_path / "figures.csv").quantity)
    (cell,) = json.loads(record.read_text())["cells"]
    assert len(cell["shown"]["labels"]["predicted"]) == shown.ROWS


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_page_in_a_browser(whole, width, dark, tmp_path):
    other = synthetic.record(1, seed=1, engines=("torch", "keras-jax"))
    other["machine"]["processor"] = "Another processor"
    file = tmp_path / "page.html"
    file.write_text(page(whole, other), encoding="utf-8")
    assert not re.search(
        r"(src|href|action)=[\"']?(https?:)?//|url\([\"']?(https?:)?//|@import|<script", file.read_text()
    )
    with browser(width, 900, dark) as driver:
        driver.get(file.as_uri())
        everything = "for (const e of document.querySelectorAll('section.twin')) e.style.contentVisibility = 'visible'"
        driver.execute_script(f"{everything}; for (const e of document.querySelectorAll('details')) e.open = true")
        assert complaints(driver) == []
        assert violations(driver) == []
        assert overflow(driver) <= 0
        lost = """return [...document.querySelectorAll('[href^="#"]')].map(a => a.getAttribute('href').slice(1))
                  .filter(id => !document.getElementById(id))"""
        assert driver.execute_script(lost) == []
        ids = "const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length - new Set(ids).size"
        assert driver.execute_script(ids) == 0
        requests = (
            "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"
        )
        assert driver.execute_script(requests) == []
