"""`make quick` keeps its word: what would import a framework is left out, or fails and says why."""

import subprocess
import sys

import pytest

from tests.helpers.command import environment
from twin.paths import ROOT

pytestmark = pytest.mark.slow

TESTS = {
    "at_the_top": "import torch\ndef test(): pass\n",
    "inside": "def test():\n    import keras\n",
    "in_a_program": (
        "import subprocess, sys\n"
        "def test():\n"
        "    answer = subprocess.run([sys.executable, '-c', 'import torch'], capture_output=True, text=True)\n"
        "    assert answer.returncode == 0, answer.stderr[-200:]\n"
    ),
    "in_a_worker": (
        "from compare.engines.engine import ENGINES\n"
        "from compare.engines.process import Worker\n"
        "def test(): Worker(ENGINES['torch'])\n"
    ),
    "asked_for": "import importlib.util\ndef test(): assert importlib.util.find_spec('torch')\n",
    "marked": "import pytest\n@pytest.mark.framework\ndef test(): import torch\n",
}
SAYS = {
    "at_the_top": "1 skipped",
    "inside": "mark the test with pytest.mark.framework",
    "in_a_program": "mark the test with pytest.mark.framework",
    "in_a_worker": "starts a worker of torch",
    "asked_for": "1 passed",
    "marked": "1 deselected",
}


@pytest.mark.parametrize("where", TESTS)
def test_a_framework_is_kept_out(where, tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS[where])
    options = ["-p", "tests.helpers.no_framework", "-m", "not framework", "-c", str(ROOT / "pyproject.toml")]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=120,
    )
    assert SAYS[where] in answer.stdout, answer.stdout + answer.stderr
    assert ("failed" in answer.stdout) == (where in ("inside", "in_a_program", "in_a_worker"))
