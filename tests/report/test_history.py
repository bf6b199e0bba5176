"""What several records of one machine say over time, and the commands that measure a figure again."""

import copy
import html
import re
import shlex

import pytest
import typer

from compare.cli.app import app
from compare.report import page as page_report
from compare.report import repeat
from compare.report.figures import Source
from compare.report.history import for_page, histories
from tests.helpers import synthetic
from tests.helpers.browser import browser, complaints, needs_chromium, overflow, violations


def at(day, seed=0, **changes):
    record = synthetic.record(2, seeds=2, seed=seed, troubles=False)
    record.started = f"2026-03-{day:02}T10:00:00+00:00"
    for name, value in changes.items():
        setattr(record.machine, name, value)
    return Source(f"day {day}", record)


@pytest.fixture(scope="module")
def three():
    """Of one machine, given in no order; before the last, JAX was renewed."""
    new = at(3, seed=2)
    new.record.versions = copy.deepcopy(new.record.versions)
    new.record.versions["keras-jax"]["jax"] = "9.9"
    return [new, at(1), at(2, seed=1)]


def test_a_history_is_in_the_order_of_time_whatever_order_the_files_had(three):
    found = histories(three)
    assert {each.of[0] for each in found} == {m.twin for m in three[0].record.measurements if m.measure == "bench"}
    for history in found:
        assert [source.name for source in history.sources] == ["day 1", "day 2", "day 3"]
        assert "torch" not in history.ratios  # the reference is 1 by definition
        assert all(len(line) == 3 for line in history.ratios.values())
    first = found[0]
    of_first = {
        (source.name, m.engine): m.result.ratios["step"]
        for source in three
        for m in source.record.measurements
        if m.measure == "bench" and m.twin == first.of[0]
    }
    for engine, line in first.ratios.items():
        assert line == [of_first[f"day {day}", engine] for day in (1, 2, 3)]


def test_what_changed_between_two_records_is_said(three):
    rows = for_page(histories(three)[0])["rows"]
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert (rows[0]["changed"], rows[1]["changed"]) == ("", "nothing")
    assert re.fullmatch(r"jax \S+ to 9\.9", rows[2]["changed"])


def test_other_processors_and_single_records_have_no_history(three):
    assert histories(three[:1]) == []
    assert histories([three[0], at(4, processor="Another processor")]) == []
    assert [len(each.sources) for each in histories([*three, at(4, processor="Another processor")])] == [3, 3]


def test_an_engine_that_one_record_lacks_leaves_a_gap(three):
    lacking = copy.deepcopy(three)
    middle = lacking[2].record
    middle.measurements = [m for m in middle.measurements if m.engine != "keras-jax"]
    history = histories(lacking)[0]
    assert [ratio is None for ratio in history.ratios["keras-jax"]] == [False, True, False]
    shown = for_page(history)
    place = shown["engines"].index("keras-jax")
    assert [bool(row["ratios"][place]) for row in shown["rows"]] == [True, False, True]


def commands(text):
    return [html.unescape(each) for each in re.findall(r'class="repeat quiet">[^<]*<code>(.*?)</code>', text)]


def test_every_command_of_a_page_is_one_that_the_command_line_takes(three):
    root = typer.main.get_command(app)
    found = commands(page_report.of_sources(three[:1]))
    assert {line.split()[1] for line in found} == {"check", "bench", "train"}
    for line in found:
        _, name, *arguments = shlex.split(line)
        context = root.commands[name].make_context(name, arguments)
        assert context.params["names"], line


def test_a_command_names_what_is_not_the_default():
    record = synthetic.record(1, engines=("torch", "keras-jax"), seeds=2, troubles=False)
    timed = [each for each in record.measurements if each.measure == "bench"]
    settings = {"quick": True, "precision": "2%", "budget": "90s", "threads": 2, "reference": "torch"}
    name = timed[0].twin
    both = "--engine torch --engine keras-jax"
    assert repeat.bench(timed, settings) == f"twin bench {name} {both} --budget 90s --threads 2 --quick"
    trained = [each for each in record.measurements if each.measure == "train"]
    assert repeat.train(trained, {"epochs": 3, "init": "shared"}) == f"twin train {name} {both} --seeds 2 --epochs 3"
    for each in trained:
        each.seed += 5
    assert "--seeds 5,6" in repeat.train(trained, {})
    assert "--seed 5" in repeat.train([each for each in trained if each.seed == 5], {})


@pytest.mark.slow
@needs_chromium
def test_tables_sort_and_commands_can_be_copied(three, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page_report.of_sources(three))
    names = (
        "return [...document.querySelectorAll('table.matrix')[0].tBodies[0].rows].map(row => row.cells[0].innerText)"
    )
    with browser(1280) as driver:
        driver.get(file.as_uri())
        assert complaints(driver) == []
        assert overflow(driver) <= 0
        assert violations(driver) == []
        before = driver.execute_script(names)
        head = "document.querySelector('table.matrix thead th button')"
        driver.execute_script(f"{head}.click()")
        assert driver.execute_script(names) == sorted(before)
        assert driver.execute_script(f"return {head}.parentElement.getAttribute('aria-sort')") == "ascending"
        driver.execute_script(f"{head}.click()")
        assert driver.execute_script(names) == sorted(before, reverse=True)
        copied = "return document.querySelectorAll('.repeat button.copy').length"
        assert driver.execute_script(copied) == len(commands(file.read_text()))
