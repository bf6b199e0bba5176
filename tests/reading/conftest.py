"""The site, written once for all tests of it."""

import fcntl
import os

import pytest

from tests.helpers.command import twin
from tests.helpers.site import record


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The whole site, with a record, as the command writes it; both of two processes of tests read the same."""
    pytest.importorskip("latex2mathml")
    pytest.importorskip("nbformat")
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "site"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "written").exists():
            answer = twin("site", "out", "--record", record(place / "run.json"), cwd=place)
            assert answer.returncode == 0, answer.stderr
            assert "open out/index.html" in answer.stdout
            (place / "written").touch()
    return place / "out"
