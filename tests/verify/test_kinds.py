"""`twin verify` on kinds of ports that real people wrote: the right one agrees, the wrong one is found.

All pairs run in one process on Keras's torch backend (tests/helpers/kinds.py), and are listed there by kind.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.kind_names import RIGHT, WRONG

pytestmark = pytest.mark.framework

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    out = tmp_path_factory.mktemp("kinds") / "kinds.json"
    env = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "tests/helpers/kinds.py", str(out)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=600)
    assert answer.returncode == 0, answer.stderr
    return json.loads(out.read_text())


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_port_agrees_however_it_is_written(verdicts, kind):
    found = verdicts[kind]
    assert found["verdict"] == "agree", (found["what"], found["notes"])


@pytest.mark.parametrize(("kind", "cause"), WRONG.items())
def test_a_wrong_port_is_found_with_its_cause(verdicts, kind, cause):
    found = verdicts[kind]
    assert (found["verdict"], found["cause"]) == ("differ", cause), found["what"]
