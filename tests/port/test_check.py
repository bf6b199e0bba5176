"""A port is judged method by method: the wrong one is named, and a learner's mistakes are told with their lines."""

import ast
import re

import pytest

from compare.engines import engine as engines
from compare.engines.pool import Pool, Settings
from compare.port import check as port_check
from compare.port import skeleton
from compare.port.workers import ENGINE
from tests.helpers.wrong_ports import KINDS, disguised, emptied, wrong_ports
from twin.catalogue import TWINS
from twin.errors import TwinError
from twin.paths import source

pytestmark = pytest.mark.framework

SIDES = ("torch", "keras")
CHECKED = [("mlp", "torch"), ("vit", "torch"), ("pooling", "torch"), ("rbm", "torch"), ("pooling", "keras")]
MLP = source("torch", TWINS["mlp"])


@pytest.fixture(scope="module")
def checkers():
    """A checker per twin and side, made when it is first asked for."""
    pool = Pool(Settings(jobs=1))
    found, sessions = {}, {}

    def get(name, side):
        if engines.ENGINES[ENGINE[side]].missing() or engines.ENGINES["torch"].missing():
            pytest.skip("needs PyTorch, and Keras for its side")
        if (name, side) not in found:
            found[name, side] = port_check.Checker(TWINS[name], side, 60, pool, sessions)
        return found[name, side]

    yield get
    pool.run([])


def _states(verdicts):
    return {verdict.unit: verdict.state for verdict in verdicts}


@pytest.mark.parametrize(("name", "side"), CHECKED)
def test_a_filled_skeleton_passes_and_each_empty_body_is_named(name, side, checkers):
    checker = checkers(name, side)
    plain = disguised(checker.own_text)
    assert set(_states(checker.check(plain)).values()) == {"right"}
    for unit in checker.own:
        assert _states(checker.check(_empty_in_own(checker, unit))) == {
            each: "empty" if each == unit else "right" for each in checker.own
        }


def _empty_in_own(checker, unit):
    tree = ast.parse(checker.own_text)
    skeleton.graft(tree, ast.parse(emptied(checker.own_text, unit)), [unit])
    return ast.unparse(tree)


def test_methods_are_checked_while_others_are_still_empty(checkers):
    checker = checkers("mlp", "torch")
    states = _states(checker.check(emptied(checker.own_text, "MLP.forward")))
    assert states == {"MLP.__init__": "right", "MLP.forward": "empty"}
    wrong = emptied(
        checker.own_text.replace("nn.Linear(num_features, hidden", "nn.Linear(num_features, 3 + hidden"), "MLP.forward"
    )
    first, second = checker.check(wrong)
    assert (first.state, second.state) == ("differs", "empty")
    assert first.message == "dense1.weight has shape (67, 64); expected (64, 64)"


def first_of_each_kind(text):
    found = {}
    for wrong in wrong_ports(text):
        found.setdefault(wrong.kind, wrong)
    return [found[kind] for kind in KINDS if kind in found]


WRONG = [(name, side, wrong) for name, side in CHECKED for wrong in first_of_each_kind(source(side, TWINS[name]))]


@pytest.mark.parametrize(
    ("name", "side", "wrong"), WRONG, ids=[f"{n}-{s}-{w.unit}-{w.kind.replace(' ', '_')}-{w.line}" for n, s, w in WRONG]
)
def test_a_wrong_body_is_reported_at_its_method(name, side, wrong, checkers):
    checker = checkers(name, side)
    states = _states(checker.check(wrong.text))
    differs = [unit for unit, state in states.items() if state != "right"]
    if differs:
        assert differs == [wrong.unit]
    else:  # it changes nothing that is computed, to the last bit
        assert checker.outcome(wrong.text, None).figures == checker.outcome(checker.own_text, None).figures


def test_all_five_kinds_are_among_the_wrong_bodies_that_are_found(checkers):
    assert {wrong.kind for _, _, wrong in WRONG} == set(KINDS)


def test_a_default_left_in_force_is_named_with_both_values(checkers):
    checker = checkers("vit", "torch")
    text = checker.own_text.replace("self.norm2 = nn.LayerNorm(dim, eps=1e-6)", "self.norm2 = nn.LayerNorm(dim)")
    assert text != checker.own_text
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == "EncoderBlock.__init__"
    assert "first layer that differs: blocks.0.norm2" in wrong.message
    assert re.fullmatch(
        r"line \d+, nn.LayerNorm: the twin spells out eps=1e-06; PyTorch's default is 1e-05", wrong.notes[0]
    )


@pytest.mark.parametrize(
    ("change", "unit", "says"),
    [
        (
            ("self.dense2 =", "self.dens2 ="),
            "MLP.__init__",
            "never assigned; it assigns self.dens2, which the twin has",
        ),
        (("self.dense2(", "self.dens2("), "MLP.forward", "AttributeError"),
        (("self.dense3(x)", "self.dense3(x[:, 1:])"), "MLP.forward", "in dense3: RuntimeError: mat1 and mat2"),
        (("return self.dense3(x)", "return x"), "MLP.forward", "outputs of other names or shapes"),
        (
            ("        return self.", "        while True:\n            pass\n        return self."),
            "MLP.forward",
            "no end",
        ),
        (
            ("        return self.", "        import sys\n        sys.exit(3)\n        return self."),
            "MLP.forward",
            "Exit",
        ),
        (("        return self.", "        input()\n        return self."), "MLP.forward", "EOFError"),
        (("        return self.", "        raise KeyError('x')\n        return self."), "MLP.forward", "KeyError"),
        (
            ("        return self.", "        import os\n        os._exit(3)\n        return self."),
            "MLP.forward",
            "exit code 3",
        ),
        (
            (
                "        return self.",
                "        import os\n        for each in range(3, 20):\n            try:\n"
                "                os.write(each, b'x')\n            except OSError:\n                pass\n"
                "        return self.",
            ),
            "MLP.forward",
            "wrote what is no answer",
        ),
    ],
    ids=["attribute", "typo", "shapes", "output", "endless", "exit", "input", "exception", "crash", "descriptors"],
)
def test_what_goes_wrong_in_a_learners_method_is_told_with_its_line(change, unit, says, checkers):
    checker = checkers("mlp", "torch")
    text = MLP.replace(*change)
    assert text != MLP
    checker.workers.timeout = 3 if says == "no end" else 60
    try:
        verdicts = checker.check(text)
    finally:
        checker.workers.timeout = 60
    (wrong,) = [verdict for verdict in verdicts if verdict.state != "right"]
    assert wrong.unit == unit
    assert says in wrong.message
    assert port_check.exit_code(verdicts) == (3 if says in ("no end", "exit code 3", "wrote what is no answer") else 1)
    if "Error" in says or says == "no end":
        line = int(re.match(r"line (\d+): ", wrong.message)[1])
        added = [number for number, each in enumerate(text.splitlines(), 1) if each not in MLP.splitlines()]
        assert line in added


def test_a_method_that_forks_is_judged_by_what_it_returns(checkers):
    text = MLP.replace("        return self.", "        import os\n        os.fork()\n        return self.")
    assert {verdict.state for verdict in checkers("mlp", "torch").check(text)} == {"right"}


def test_a_file_with_attributes_and_helpers_of_its_own_is_right(checkers):
    checker = checkers("mlp", "torch")
    text = MLP.replace("torch.relu(", "self.act(").replace(
        "        super().__init__()\n", "        super().__init__()\n        self.act = rectified\n"
    )
    text = text.replace("import torch\n", "import torch\nfrom torch.nn import functional as F\n", 1)
    text = text.replace("\n\nclass MLP", "\n\ndef rectified(x):\n    return F.relu(x)\n\n\nclass MLP")
    assert set(_states(checker.check(text)).values()) == {"right"}
    wrong = text.replace("return self.dense3(x)", "return self.act(self.dense3(x))")
    assert _states(checker.check(wrong)) == {"MLP.__init__": "right", "MLP.forward": "differs"}


def test_a_keras_model_that_never_saw_a_shape_is_told_so(checkers):
    checker = checkers("mlp", "keras")
    text = re.sub(r"        self\(keras.Input.*\n", "", checker.own_text)
    assert text != checker.own_text
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == "MLP.__init__"
    assert "self(keras.Input(...))" in wrong.message


def test_two_wrong_methods_are_both_named(checkers):
    checker = checkers("rbm", "torch")
    text = checker.own_text.replace("hidden @ self.weight.T", "-hidden @ self.weight.T")
    text = text.replace("agreement = torch.sum(", "agreement = 2 * torch.sum(")
    differs = [unit for unit, state in _states(checker.check(text)).items() if state != "right"]
    assert differs == ["RBM.visible_probs", "RBM.energy"]


def test_a_constant_that_was_changed_is_named(checkers):
    checker = checkers("rbm", "torch")
    text = checker.own_text.replace('PHASES = (Phase(trains="",', 'PHASES = () and (Phase(trains="",')
    (wrong,) = [verdict for verdict in checker.check(text) if verdict.state != "right"]
    assert wrong.unit == ""
    assert wrong.message.startswith("PHASES: not the twin's value")


def test_rounding_in_float32_is_no_mistake(checkers):
    checker = checkers("mlp", "torch")
    text = re.sub(r"return (self\.\w+\(.*\))", r"return \1.float().to(x.dtype)", MLP)
    assert text != MLP
    assert set(_states(checker.check(text)).values()) == {"right"}


def test_a_missing_engine_is_incomplete(monkeypatch):
    monkeypatch.setattr(engines.Engine, "missing", lambda self: ("torch",))
    pool = Pool(Settings(jobs=1))
    with pytest.raises(TwinError, match="the check needs torch") as told:
        port_check.Checker(TWINS["mlp"], "torch", 60, pool)
    assert told.value.exit_code == 3
