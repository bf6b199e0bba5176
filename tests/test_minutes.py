"""`--minutes`: tests that would begin later are skipped and counted, also those that wait for a measurement."""

import re
import subprocess
import sys
import time

import pytest

from compare.record.measurement import CheckMeasurement
from tests.helpers import background
from twin.paths import ROOT

pytestmark = pytest.mark.slow  # a process of tests


@pytest.mark.parametrize(("minutes", "wanted"), [("0", "skipped"), ("5", "passed")])
def test_no_test_begins_after_so_many_minutes(minutes, wanted):
    command = [sys.executable, "-m", "pytest", "tests/docs/test_sizes.py", "--minutes", minutes]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert answer.returncode == 0, answer.stdout
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped|failed)", answer.stdout)}
    assert list(counts) == [wanted]
    told = f"{counts.get('skipped')} of the skipped tests were not reached within --minutes"
    assert (told in answer.stdout) == (wanted == "skipped")


def test_a_measurement_that_is_not_finished_in_time_is_none(tmp_path):
    pooling = CheckMeasurement("pooling", "torch", "cpu", "float32", 0, "small")
    assert background.wait(tmp_path, pooling, until=time.time()) is None


def test_a_wait_in_which_nothing_is_finished_for_too_long_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE", -1)
    with pytest.raises(TimeoutError, match="pooling/torch"):
        background.wait(tmp_path, CheckMeasurement("pooling", "torch", "cpu", "float32", 0, "small"))
