"""`twin report`: what it says, what it leaves out, and the page in a browser. Most records here are made up."""

import copy
import csv
import errno
import io
import json
import os
import re

import numpy as np
import pandas
import pytest

from compare.cli.commands.report import report as command
from compare.record.measurement import benches_of
from compare.record.record import Record
from compare.record.schema import from_plain, to_plain
from compare.report import figures, markdown
from compare.report import page as page_report
from compare.report import tables as report
from compare.report.figures import Source
from compare.worker import pictures as shown
from tests.helpers import synthetic
from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations
from tests.helpers.command import twin
from twin.errors import TwinError
from twin.files import write_text

COMPUTED = ("check", "bench")


def page(*records):
    return page_report.of_sources([Source(f"run_{at}", record) for at, record in enumerate(records)])


@pytest.fixture(scope="module")
def small():
    """Six twins on every engine and mode, with troubles; no training."""
    return synthetic.record(6, measures=COMPUTED)


@pytest.fixture(scope="module")
def whole():
    """Everything, of two twins."""
    return synthetic.record(2, seeds=12)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("seeds", [1, 2])
def test_no_line_is_wider_than_the_terminal(seeds, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    tables = report.of_record(synthetic.record(24, seeds=seeds), explain=True).splitlines()
    assert max(map(len, tables)) <= columns
    if columns != 80:
        return
    for engine in synthetic.ENGINES:
        assert sum(line.split()[:1] == [engine] for line in tables) >= 48, engine


def test_a_pair_that_does_not_agree_has_no_speed_anywhere(small):
    record = copy.deepcopy(small)
    result = next(b.result for b in benches_of(record.measurements) if b.engine == "keras-jax" and b.result.agrees)
    result.agrees = False
    for ratio in result.ratios.values():
        ratio.estimate = 77.77
    for run in result.process_runs:
        run.peak_memory_mib = 77777.0
    sources = [Source("", record)]
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
    text = " ".join(report.of_record(small, explain=True).split())
    assert "time divided by that of torch; above 1 is slower" in text
    assert "Noise band, by how much torch differs from itself at most (A/A runs): step 3.5%" in text
    assert "10 process runs of each engine, 2 threads each" in text
    assert "Not like for like: torch is eager, torch:compile, keras-tensorflow, keras-jax" in text
    assert "TF32 off" in text


def test_one_process_run_has_no_interval():
    record = synthetic.record(1, process_runs=1, engines=("torch", "keras-jax"), measures=("bench",))
    text = report.of_record(record)
    assert "no verdict" in text
    ratios = text.split("[95%]")[1].split("rows/s")[0]
    assert "[" not in ratios
    assert "No interval and no noise band: those take 2 process runs. 1 process run of each" in " ".join(text.split())
    assert 'class="span' not in page(record)


def test_nothing_measured_is_reported_as_such(whole):
    record = copy.deepcopy(whole)
    for each in record.measurements:
        each.status, each.reason, each.result = "not_run", "", None
    assert f"{len(record.measurements)} measurements not run" in report.of_record(record)
    text = page(record)
    assert "no check came to a result" in text
    assert "no timing came to a result" in text
    assert "no training came to a result" in text
    rows = list(csv.DictReader(io.StringIO(figures.to_csv(figures.figures([Source("r", record)])))))
    assert {row["status"] for row in rows} == {"not_run"}
    assert {row["value"] for row in rows} == {""}


def test_csv_reads_back_as_it_was_written(whole):
    found = figures.figures([Source("a record, with a comma", whole)])
    text = figures.to_csv(found)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(found)
    assert set(rows[0]) == set(figures.Figure.__dataclass_fields__)
    frame = pandas.read_csv(io.StringIO(text))
    assert set(frame.record) == {"a record, with a comma"}
    timed = next(each for each in benches_of(whole.measurements) if each.engine == "keras-jax")
    mine = frame[(frame.twin == timed.twin) & (frame.engine == "keras-jax") & (frame.measure == "bench")]
    step = mine[mine.quantity == "step: time over that of torch"].iloc[0]
    assert step["value"] == pytest.approx(timed.result.ratios["step"].estimate)
    assert (step["unit"], step["verdict"]) == ("ratio", timed.result.ratios["step"].verdict)
    seconds = mine[mine.quantity == "first_step: time"].iloc[0]
    assert seconds["value"] == pytest.approx(np.median([run.first_step for run in timed.result.process_runs]))
    trained = frame[(frame.measure == "train") & (frame.quantity == "accuracy") & (frame.engine == "torch")]
    assert sorted(trained.seed) == sorted(list(range(12)) * len(set(trained.twin)))
    over_seeds = frame[(frame.measure == "train") & frame.seed.isna()]
    assert set(over_seeds.verdict) <= {"equal", "better", "worse", "inconclusive", "none"}
    assert len(over_seeds) == 2 * 7


def test_markdown_tables_are_whole_and_words_stay_words(whole):
    record = copy.deepcopy(whole)
    record.measurements[0].reason = "a | pipe, *stars* and <b>tags</b>"
    record.measurements[0].status = "crashed"
    text = markdown.of_sources([Source("run", record)])
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"a \| pipe, \*stars\* and \<b\>tags\</b\>" in text


def test_what_a_record_says_cannot_become_markup(whole):
    record = copy.deepcopy(whole)
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    record.machine.processor = record.machine.system = evil
    for each in record.measurements:
        each.twin, each.reason = each.twin + evil, evil
        if each.result is None:
            continue
        if each.measure == "check":
            for tensor in (tensor for rung in each.result.rungs for tensor in rung.tensors):
                tensor.name = evil
        elif each.measure == "train":
            each.result.metric = each.result.provenance = evil
            each.result.loss = {evil: [1.0, 0.5]}
    text = page(record)
    assert "alert(1)" in text
    assert text.count("<script") == page(whole).count("<script") == 1  # the page's own
    assert "<img src=x" not in text


def test_records_of_two_machines_stay_apart(small):
    other = copy.deepcopy(small)
    other.machine.processor = "Another processor"
    text = page(small, other)
    assert text.count('id="p1-twins"') == text.count('id="p2-twins"') == 1
    assert "Another processor" in text
    assert len(page_report.together([Source("a", small), Source("b", other)])) == 2
    told = report.of_sources([Source("here", small), Source("there", other)])
    assert told.index("here: compare") < told.index("A processor of 16 cores") < told.index("there: compare")


def test_records_of_one_machine_are_told_together_unless_they_measured_the_same():
    parts = [synthetic.record(2, measures=(each,), troubles=False) for each in COMPUTED]
    sources = [Source(str(at), part) for at, part in enumerate(parts)]
    assert len(page_report.together(sources)) == 1
    assert len(page_report.together([*sources, Source("again", parts[1])])) == 2
    newer = copy.deepcopy(parts[1])
    newer.versions["torch"]["torch"] = "9.9"
    assert len(page_report.together([sources[0], Source("newer", newer)])) == 2


@pytest.mark.slow
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
    return json.dumps(to_plain(record) | changes)


def with_measurement(**changes):
    record = synthetic.record(1, engines=("torch",), measures=("check",), troubles=False)
    (measurement,) = to_plain(record)["measurements"]
    return broken(measurements=[{name: value for name, value in (measurement | changes).items() if value is not ...}])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "was cut off"),
        (broken()[:-40], "was cut off"),
        ("\x00\xff", "was cut off"),
        ("[1, 2]", "no schema and measurements"),
        (broken(schema=99), "schema 99; this version reads up to 3: upgrade"),
        (broken(measurements=[]), "has no measurements"),
        (broken(measurements={}), "measurements: expected a valid array, got {}"),
        (broken(measurements=[7]), "measurements[0]: expected"),
        (broken(machine=None), "machine: expected an object, got None"),
        (with_measurement(engine=...), "measurements[0].engine: expected a value, got nothing"),
        (with_measurement(seed="zero"), "measurements[0].seed: expected a valid integer, got 'zero'"),
        (
            with_measurement(result={"rungs": [{"rung": "forward", "status": 3}]}),
            "measurements[0].result.rungs[0].status: expected 'ok' or 'failed', got 3",
        ),
        (
            with_measurement(measure="train", result={"metric": "accuracy"}),
            "measurements[0].result.value: expected a value, got nothing",
        ),
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


def test_a_record_has_a_line_per_measurement(small):
    text = small.to_text()
    assert from_plain(Record, json.loads(text)) == small
    assert text.count("\n") < len(small.measurements) + 120


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
    assert 'alt="input: 8 rows of the test part"' in text
    assert "| mlp" in (tmp_path / "page.md").read_text()
    assert "accuracy" in set(pandas.read_csv(tmp_path / "figures.csv").quantity)
    (measurement,) = json.loads(record.read_text())["measurements"]
    assert len(measurement["result"]["predictions"]["labels"]["predicted"]) == shown.ROWS


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_page_in_a_browser(whole, width, dark, tmp_path):
    other = synthetic.record(1, seed=1, engines=("torch", "keras-jax"))
    other.machine.processor = "Another processor"
    file = tmp_path / "page.html"
    file.write_text(page(whole, other), encoding="utf-8")
    assert not re.search(
        r"(src|href|action)=[\"']?(https?:)?//|url\([\"']?(https?:)?//|@import|<script[^>]", file.read_text()
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
