"""`twin verify` on kinds of ports that real people wrote: the right one agrees, the wrong one is found.

All pairs run in one process on Keras's torch backend (tests/helpers/kinds.py), and are listed there by kind.
"""

import json

import pytest

from tests.helpers import aside
from tests.helpers.kind_names import RIGHT, WRONG

pytestmark = pytest.mark.framework


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    out = tmp_path_factory.mktemp("kinds") / "kinds.json"
    aside.run("keras-torch", "-m", "tests.helpers.kinds", str(out))
    return json.loads(out.read_text())


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_port_agrees_however_it_is_written(verdicts, kind):
    found = verdicts[kind]
    assert found["verdict"] == "agree", (found["what"], found["notes"])


@pytest.mark.parametrize(("kind", "cause"), WRONG.items())
def test_a_wrong_port_is_found_with_its_cause(verdicts, kind, cause):
    found = verdicts[kind]
    assert (found["verdict"], found["cause"]) == ("differ", cause), found["what"]
