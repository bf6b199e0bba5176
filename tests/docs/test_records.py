"""docs/records/: the records behind figures that take an hour to measure; each is read, and says what is claimed."""

import pytest

from compare.record.record import read_record
from compare.report.learned import comparisons
from twin.paths import ROOT

FIGURES = (ROOT / "docs" / "figures.md").read_text()
RECORDS = sorted((ROOT / "docs" / "records").glob("seeds-*.json"))


@pytest.mark.docs
@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_both_sides_of_a_detector_learn_equally_well_over_eleven_seeds(path):
    (found,) = comparisons(read_record(path).measurements)
    assert found.verdict == "equal"
    assert len(found.seeds) == 11
    assert f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]" in FIGURES
    assert path.name in FIGURES


@pytest.mark.docs
def test_five_detectors_are_recorded():
    assert len(RECORDS) >= 5
