"""A plugin of pytest for `make quick`: neither a test nor a program that it starts imports a framework.

A test file that imports a framework at the top is skipped. A test that comes to one in another way fails, and the
message says what to do: it gets the mark `framework`, which leaves it to `make test`.
"""

import os
import sys
from pathlib import Path

import pytest

GUARDED = Path(__file__).parent / "guarded"  # on the path of each Python that is started, which reads sitecustomize.py
sys.path.insert(0, str(GUARDED))

import guard  # noqa: E402

from compare.engines import process  # noqa: E402
from tests.helpers import forks  # noqa: E402
from twin.paths import ROOT  # noqa: E402


def _skip_the_file(what: str) -> None:
    pytest.skip(what, allow_module_level=True)


def pytest_configure(config) -> None:
    guard.install()
    guard.GUARD.refuse = _skip_the_file  # type: ignore[method-assign]
    paths = [str(GUARDED), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    start = process.Worker.__init__

    def guarded(self, engine, *arguments, **options):
        if "compare.worker" in engine.command():
            guard.GUARD.refuse(f"starts a worker of {engine.name}")
        start(self, engine, *arguments, **options)

    process.Worker.__init__ = guarded  # type: ignore[method-assign]


def pytest_collection_finish(session) -> None:
    del guard.GUARD.refuse  # type: ignore[method-assign]  # from here on a framework fails its test
    os.environ.pop(forks.ASKED, None)  # nothing is asked of a fork, and `twin` starts sooner without


def pytest_sessionfinish(session) -> None:
    imported = sorted(set(guard.FRAMEWORKS) & set(sys.modules))
    assert not imported, f"`make quick` imported {', '.join(imported)}"
