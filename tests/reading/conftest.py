"""The site, written once for all tests of it."""

import pytest

from tests.helpers.command import twin
from tests.helpers.site import record


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The whole site, with a record, as the command writes it."""
    pytest.importorskip("latex2mathml")
    pytest.importorskip("nbformat")
    place = tmp_path_factory.mktemp("site")
    answer = twin("site", "out", "--record", record(place / "run.json"), cwd=place)
    assert answer.returncode == 0, answer.stderr
    assert "open out/index.html" in answer.stdout
    return place / "out"
