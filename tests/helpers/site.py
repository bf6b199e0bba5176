"""A record for the site to show, and its pages read."""

import os
from dataclasses import replace
from html.parser import HTMLParser

from compare.record.machine import Machine
from compare.record.measurement import BenchMeasurement, CheckMeasurement, TrainMeasurement
from compare.record.record import SCHEMA, Record
from compare.record.results import BenchResult, CheckResult, ProcessRun, RungResult, SpeedRatio, TrainResult, WorstError

VOID = ("meta", "link", "input", "img", "path", "rect", "polyline")  # of which the last three close themselves


class Page(HTMLParser):
    """The addresses, the names and the tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.sources, self.open, self.outside = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if found.get("id"):
            self.ids.append(found["id"])
        if tag == "a":
            outside = found.get("rel") == "external noreferrer"  # a reader may follow it; the page asks for nothing
            (self.outside if outside else self.links).append(found["href"])
        if tag in ("link", "script", "img", "iframe"):
            self.sources += [found[name] for name in ("href", "src") if found.get(name)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"{tag} closes what is not open, at {self.getpos()}"


def record(path, value=0.97, seconds=0):
    """A record of LeNet on two engines, with values that a reader would recognise."""
    of = ("cpu", "float32", 0, "small", "ok")
    checked = CheckResult([RungResult("forward", "ok", WorstError("y", 3.21e-7, 1e-5, 1.1))])
    learned = TrainResult(
        "accuracy", value, 0.95, 0.1, 1.0, {"loss": [2.0, 0.5, 0.1]}, provenance="real, <made> for this test"
    )
    runs = [ProcessRun({"step": [1.34e-3]}) for _ in range(12)]
    timed = BenchResult(True, process_runs=runs, ratios={"step": SpeedRatio(1.34, 1.2, 1.5, 12, 0.05, "slower")})
    differs = CheckResult([replace(checked.rungs[0], status="failed")])
    failed = CheckMeasurement("lenet", "torch", *of, reason="forward: conv1 differs", result=differs)
    failed.status = "failed"
    measurements = [
        CheckMeasurement("lenet", "keras-jax", *of, result=checked),
        TrainMeasurement("lenet", "keras-jax", *of, result=learned),
        BenchMeasurement("lenet", "keras-jax", *of, result=timed),
        failed,
    ]
    path.write_text(Record(SCHEMA, "compare", None, Machine(), {}, {}, {}, "0", measurements).to_text())
    os.utime(path, (seconds, seconds))
    return path
