"""The answers above every report: what they say of agreement, speed and learning, and that all reports say the same."""

import copy
import math
import re

import pytest

from compare.record.measurement import benches_of, checks_of
from compare.record.results import BenchResult, SpeedRatio, TrainResult
from compare.report import markdown, page, tables
from compare.report.answers import answers
from compare.report.figures import Source
from compare.report.learned import comparisons
from tests.helpers import synthetic
from twin.catalogue import TWINS

FOUR = ("torch", "keras-tensorflow", "keras-jax", "keras-torch")


def said(record):
    """Question -> answer, as a sentence."""
    found = answers(record.measurements, comparisons(record.measurements), record.settings)
    assert len(found) <= 3
    return {each.question: f"{each.short}: {each.text}" for each in found}


def one(seeds=1, process_runs=10, engines=FOUR, **more):
    return synthetic.record(1, engines, seeds, process_runs, troubles=False, **more)


def with_ratios(**ratios):
    """A bench of one twin with these step ratios: estimate, low, high and verdict of each engine."""
    record = one(engines=("torch", *(each.replace("_", "-") for each in ratios)), measures=("bench",))
    for bench in benches_of(record.measurements):
        if bench.engine != "torch":
            estimate, low, high, verdict = ratios[bench.engine.replace("-", "_")]
            bench.result.ratios["step"] = SpeedRatio(estimate, low, high, 10, 0.03, verdict)
    return said(record)["Which is fastest?"]


def test_a_twin_that_agrees_everywhere_is_one_sentence():
    assert said(one())["Do they agree?"] == (
        "Yes: mlp computes the same on keras-tensorflow, keras-jax and keras-torch as on torch, up to rounding."
    )


def test_float64_is_no_second_twin():
    record = one(measures=("check",))
    in_float64 = copy.deepcopy(checks_of(record.measurements)[1])
    in_float64.dtype = "float64"
    before = said(record)
    record.measurements.append(in_float64)
    assert said(record) == before
    assert "2 of 2" not in tables.of_record(record)
    assert "2 of 2" not in page.of_sources([Source("run", record)])
    in_float64.status = "failed"
    assert "0 of 1" in page.of_sources([Source("run", record)])


def test_what_differs_is_named_with_what_differs():
    record = one(measures=("check",))
    check = checks_of(record.measurements)[2]
    check.status = "failed"
    check.result.rungs[3].status = "failed"
    assert said(record)["Do they agree?"] == "No: mlp on keras-jax differs from torch in its gradients."


def test_what_could_not_be_checked_takes_the_yes_back():
    record = one(measures=("check",))
    checks_of(record.measurements)[2].status = "crashed"
    assert said(record)["Do they agree?"].startswith("Yes, where checked: ")
    assert "1 other pair could not be checked." in said(record)["Do they agree?"]


def test_the_fastest_has_its_factor_and_how_sure_it_is():
    answer = with_ratios(keras_jax=(0.5, 0.4, 0.625, "faster"), keras_torch=(2, 1.9, 2.1, "slower"))
    assert answer.startswith(
        "keras-jax: a training step is 2.00 times as fast as on torch (95% interval 1.60 to 2.50)."
    )
    assert "It is compiled, torch is eager." in answer


def test_engines_whose_intervals_overlap_share_the_first_place():
    answer = with_ratios(keras_jax=(0.5, 0.4, 0.6, "faster"), keras_torch=(0.6, 0.5, 0.7, "faster"))
    assert answer.startswith("keras-jax: ")
    assert "; keras-torch may be as fast." in answer


@pytest.mark.parametrize(
    ("ratios", "says"),
    [
        ({"keras_torch": (2, 1.9, 2.1, "slower")}, "torch: a training step of keras-torch takes 2.00 times as long."),
        ({"keras_torch": (1, 0.99, 1.01, "equal")}, "None: torch and keras-torch take the same time"),
        ({"keras_torch": (0.8, 0.5, 1.3, "inconclusive")}, "Not shown: keras-torch seems 1.25 times as fast as torch"),
    ],
)
def test_without_a_faster_one_the_answer_says_what_was_shown(ratios, says):
    assert with_ratios(**ratios).startswith(says)


@pytest.mark.parametrize("process_runs", [1, 3])
def test_too_few_process_runs_give_no_verdict_and_the_command_that_gives_one(process_runs):
    record = one(process_runs=process_runs)
    answer = said(record)["Which is fastest?"]
    assert re.search(r"^No verdict: \d process runs? of each engine, and a verdict takes 10; ", answer)
    assert re.search(r"`twin bench mlp` gives one in about \d+ minutes?\.$", answer)
    for text in (tables.of_record(record), markdown.of_sources([Source("run", record)])):
        assert not re.search(r"\binf\b|\bunknown\b|\bnan\b", text)


def fastest_of(*twins):
    """The answer over several twins, each given by its engines' verdicts and estimates of the step ratio."""
    engines = ("torch", "keras-jax", "keras-torch")
    record = synthetic.record(len(twins), engines, 1, 10, measures=("bench",), troubles=False)
    by_name = {}
    for bench in benches_of(record.measurements):
        by_name.setdefault(bench.twin, []).append(bench)
    for benches, ratios in zip(by_name.values(), twins, strict=True):
        for bench in benches:
            if bench.engine in ratios:
                estimate, verdict = ratios[bench.engine]
                bench.result.ratios["step"] = SpeedRatio(estimate, estimate, estimate, 10, 0.03, verdict)
    return said(record)["Which is fastest?"]


FAST, FASTER = {"keras-jax": (0.8, "faster")}, {"keras-torch": (0.5, "faster")}
SLOW = {"keras-jax": (2.0, "slower"), "keras-torch": (3.0, "slower")}
UNSURE = {"keras-jax": (0.9, "inconclusive"), "keras-torch": (3.0, "slower")}


@pytest.mark.parametrize(
    ("twins", "says"),
    [
        (
            (FAST | FASTER, FAST | FASTER, SLOW),
            "keras-torch: on 2 of 3 twins, 2.00 times as fast as torch; torch on 1.",
        ),
        ((SLOW, SLOW, UNSURE), "torch: on 2 of 3 twins; on 1 none was shown to be."),
        ((SLOW, FAST | FASTER), "It depends on the twin: of 2 twins, torch on 1 and keras-torch on 1."),
        ((UNSURE, UNSURE), "Not shown: on none of 2 twins was an engine shown to be the fastest."),
    ],
)
def test_of_several_twins_the_fastest_engine_is_the_fastest_and_not_only_faster_than_the_reference(twins, says):
    assert fastest_of(*twins) == says


def test_a_time_limit_that_ended_the_runs_is_named():
    record = one(process_runs=1)
    record.settings |= {"quick": False, "budget": "2m"}
    assert "the time limit of 2m ended it after 1 process run" in said(record)["Which is fastest?"]


def test_engines_that_are_not_all_four_are_in_the_command():
    answer = said(one(process_runs=3, engines=("torch", "keras-jax")))["Which is fastest?"]
    assert "`twin bench mlp --engine torch --engine keras-jax`" in answer


def test_one_seed_gives_no_verdict_and_the_command_that_gives_one():
    answer = said(one())["Do they learn equally well?"]
    assert answer.startswith(
        "No verdict: 1 seed, and a verdict takes 11; `twin train mlp --seeds 11` gives one in about "
    )


def test_the_time_of_that_command_is_for_all_epochs_of_the_twin():
    record = one(engines=("torch", "keras-jax"), measures=("train",))
    for each in record.measurements:
        each.result.seconds, each.result.epochs = 6.0, 1
    epochs = TWINS["mlp"].epochs
    assert epochs > 1
    minutes = math.ceil(2 * 6.0 * epochs * 11 / 60)
    assert said(record)["Do they learn equally well?"].endswith(f"gives one in about {minutes} minutes.")


def test_many_seeds_give_a_verdict():
    answer = said(one(seeds=12))["Do they learn equally well?"]
    assert re.search(r"^(Yes|Not shown): .*within 0\.\d+ of torch's", answer)


def test_nothing_measured_is_not_known():
    record = one()
    for each in record.measurements:
        each.status, each.result = "not_run", None
    assert all(each.startswith("Not known: ") for each in said(record).values())


def test_every_report_begins_with_the_same_answers():
    record = one(seeds=2)
    sentences = [f"{question} {answer}" for question, answer in said(record).items()]
    assert len(sentences) == 3
    assert " ".join(tables.of_record(record).split()).startswith(" ".join(sentences))
    html, text = (make([Source("run", record)]) for make in (page.of_sources, markdown.of_sources))
    for question, answer in said(record).items():
        assert f"**{question}** {answer}" in text.replace("\\", "")
        short, _, rest = answer.partition(": ")
        plain = " ".join(re.sub(r"<[^>]+>", " ", html).split())
        assert f"{question} {short} {rest.split('`')[0].strip()}" in plain.replace("&#39;", "'")


def test_columns_are_explained_where_somebody_asks():
    record = one(seeds=2)
    short, long = (tables.of_record(record, explain) for explain in (False, True))
    for words in ("relative L2 distance", "above 1 is slower", "paired by seed"):
        assert words not in " ".join(short.split())
        assert words in " ".join(long.split())


@pytest.mark.parametrize("seconds", [1e30, 1e308])
def test_times_that_no_run_can_have_taken_are_not_promised_to_the_reader(seconds):
    record = one(process_runs=2)
    for each in record.measurements:
        if isinstance(each.result, BenchResult):
            each.result.process_runs[-1].import_seconds = seconds
        if isinstance(each.result, TrainResult):
            each.result.seconds = seconds
    answers = said(record)
    assert answers["Which is fastest?"].endswith("`twin bench mlp` gives one.")
    assert not any(re.search(r"\d{9}|inf", text) for text in answers.values())
