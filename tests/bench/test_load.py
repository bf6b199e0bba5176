"""What disturbs a timing is named before and after it, and the record and its reports keep it."""

import copy
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

from compare.bench import load
from compare.cli.carry_out import watched
from compare.record.record import Record
from compare.record.schema import from_plain, to_plain
from compare.report import markdown, page, tables
from compare.report.figures import Source
from tests.helpers import synthetic


def test_a_program_that_computes_is_seen_and_this_one_is_not():
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as busy:
        busy.stdout.readline()
        used = load._others(0.3)
        busy.kill()
    assert sum(used.values()) > 0.05
    assert all(isinstance(name, str) and cores > 0 for name, cores in used.items())


def test_other_programs_are_named_before(monkeypatch):
    monkeypatch.setattr(load, "_others", lambda seconds: Counter({"chrome": 1.5, "make": 0.3}))
    (line, *_) = load.Watch().before()
    assert line.startswith("Other programs use 1.8 of ")
    assert "(chrome 1.5, make 0.3): end them or wait" in line


def test_a_battery_is_named_before(monkeypatch):
    monkeypatch.setattr(load, "_others", lambda seconds: Counter())
    for plugged, lines in ((False, 1), (True, 0)):
        state = SimpleNamespace(power_plugged=plugged)
        monkeypatch.setattr(load.psutil, "sensors_battery", lambda state=state: state, raising=False)
        assert len(load.Watch().before()) == lines


def test_what_happened_meanwhile_is_named_after(monkeypatch):
    watch = load.Watch((0.0, 100.0, 10.0, 0.0, 3))
    for state, says in (
        ((10.0, 120.0, 25.0, 0.0, 3), "Other programs used 0.5 of "),
        ((10.0, 110.0, 20.0, 1.0, 3), "The host of this virtual machine took 10% of the time"),
        ((10.0, 110.0, 20.0, 0.0, 4), "The processor became too hot"),
    ):
        monkeypatch.setattr(load, "_state", lambda state=state: state)
        (line,) = watch.after()
        assert line.startswith(says)
    monkeypatch.setattr(load, "_state", lambda: (10.0, 111.0, 20.0, 0.1, 3))
    assert watch.after() == []


def test_the_record_and_its_reports_keep_what_disturbed(monkeypatch, capsys):
    record = synthetic.record(1, ("torch", "keras-jax"), 1, 3, measures=("bench",))
    monkeypatch.setattr(load.Watch, "before", lambda self: ["A neighbour computes."])
    monkeypatch.setattr(load.Watch, "after", lambda self: ["A neighbour computed."])
    for _ in range(2):
        with watched(record):
            pass
    assert capsys.readouterr().err == "note: A neighbour computes.\n" * 2
    assert record.disturbances == ["A neighbour computed."]
    assert from_plain(Record, to_plain(record)) == record
    for text in (tables.of_record(record), *(m.of_sources([Source("run", record)]) for m in (markdown, page))):
        assert "A neighbour computed." in text


def test_an_older_record_knows_of_nothing():
    plain = copy.deepcopy(to_plain(synthetic.record(1, ("torch",), 1, measures=("check",))))
    del plain["disturbances"]
    assert from_plain(Record, plain).disturbances == []
