"""The glossary: every pair of lines runs on every engine and gives the same on both sides; the page is generated."""

import ast
import json
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.reading import glossary
from tests.helpers import aside, asking
from tests.helpers.command import TWIN
from twin import arrays, differences
from twin.errors import TwinError
from twin.glossary import ENTRIES, find
from twin.paths import ROOT

KERAS = [name for name, engine in ENGINES.items() if engine.side == "keras"]
ASK = (
    "import sys; from twin import arrays; from {side}_impl import glossary; "
    "arrays.write(sys.argv[1], glossary.answers())"
)


@pytest.fixture(scope="module")
def answers(request, tmp_path_factory):
    """Engine -> what each entry's lines give, in a process of its own; of those engines that a test asks for."""
    asked = {item.callspec.params["engine"] for item in asking.items(request, "answers")}
    wanted = request.config.getoption("--engine") or asked
    names = [name for name in ("torch", *KERAS) if name in {*wanted, "torch"} and not ENGINES[name].missing()]
    folder = tmp_path_factory.mktemp("answers")

    def ask(name):
        aside.run(name, "-c", ASK.format(side=ENGINES[name].side), str(folder / name))
        return arrays.read(folder / name)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def far(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Why two answers are not the same; empty where they are."""
    if ours.shape != theirs.shape:
        return f"shapes {ours.shape} and {theirs.shape}"
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    # Values of about 1 in float32, which a few operations round by some of its ulps (1e-7).
    return "" if np.allclose(ours, theirs, rtol=1e-5, atol=1e-6) else f"{ours} and {theirs}"


@pytest.mark.parametrize("engine", aside.KERAS)
@pytest.mark.framework
def test_both_sides_give_the_same(answers, engine):
    if engine not in answers or "torch" not in answers:
        pytest.skip("takes PyTorch and this engine")
    backend = ENGINES[engine].backend
    assert set(answers["torch"]) == set(ENTRIES)
    wrong = {}
    for name, entry in ENTRIES.items():
        if not entry.backends or backend in entry.backends:
            wrong[name] = far(answers[engine][name], answers["torch"][name])
    assert {name: why for name, why in wrong.items() if why} == {}


def test_answers_that_differ_are_seen():
    one = np.ones((2, 3), np.float32)
    assert far(one, one) == ""
    assert far(one, one * 1.001)
    assert far(one, one[:1])
    assert far(one, one * np.nan)


def test_every_entry_has_its_words_and_its_lines_in_order():
    assert 35 <= len(ENTRIES) <= 80
    for entry in ENTRIES.values():
        assert max(len(entry.keras), len(entry.torch)) <= 23, entry.name
        assert entry.changes.endswith("."), entry.name
        assert any("HANGUL" in unicodedata.name(letter) for letter in entry.korean), entry.name
        assert set(entry.deck.split(", ")) <= {"A", "B", "C", "D", "E", ""}
        assert all(differences.find(row) for row in entry.see)
    for side in ("keras", "torch"):
        tree = ast.parse((ROOT / f"{side}_impl" / "glossary.py").read_text())
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert functions == [*ENTRIES, "make_model", "answers"], side


def test_every_line_is_shown_as_it_stands():
    for entry in ENTRIES.values():
        for side in ("keras", "torch"):
            assert glossary.lines(entry.name, side) in glossary.markdown()
            assert len(glossary.lines(entry.name, side).splitlines()) <= 11, f"{entry.name}: not a few lines"


@pytest.mark.docs
def test_the_page_is_what_the_command_writes_now():
    written = (ROOT / "docs" / "glossary.md").read_text()
    assert written == glossary.markdown(), "run: twin glossary --md docs/glossary.md"


def test_the_table_fits_eighty_columns_though_korean_is_twice_as_wide():
    wide = lambda line: sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
    lines = glossary.table().splitlines()
    assert max(map(wide, lines)) <= 80
    assert {line.split()[0] for line in lines if line} >= set(ENTRIES)


@pytest.mark.parametrize(
    ("term", "names"),
    [("fit", {"fit"}), ("DataLoader", {"loader"}), ("state_dict", {"weights"}), ("가중치", {"kernel", "weights"})],
)
def test_a_term_is_found_by_what_either_side_calls_it(term, names):
    assert {entry.name for entry in find(term)} == names


@pytest.mark.parametrize(
    ("term", "says"), [("callbak", "did you mean callback"), ("", "known: tensor"), (" ", "known: tensor")]
)
def test_an_unknown_term_is_told(term, says):
    with pytest.raises(TwinError, match=says):
        find(term)


def test_what_is_no_term_leads_to_the_twins_that_show_it():
    with pytest.raises(TwinError, match=r"twins show it: resnet_style, .*; see: twin show resnet_style"):
        glossary.search("skip connection")
    with pytest.raises(TwinError, match="known: tensor"):
        glossary.search("qqqzzz")


def test_the_command_shows_a_term_in_full_and_writes(tmp_path):
    command = [*TWIN, "glossary"]

    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60)

    shown = run("state_dict")
    assert shown.returncode == 0, shown.stderr
    for part in (
        "model.get_weights()",
        'named["2.weight"].T',
        "가중치 (B, C, D)",
        "twin differences dense_kernel_layout",
    ):
        assert part in shown.stdout
    (entry,) = json.loads(run("seed", "--json", "-").stdout)
    assert entry.keys() >= {"name", "keras", "torch", "korean", "changes", "code"}
    assert run("--md", str(tmp_path / "new" / "words.md")).returncode == 0
    assert (tmp_path / "new" / "words.md").read_text() == glossary.markdown()
    assert (run("nonsense").returncode, run("--md", "/proc/none/words.md").returncode) == (2, 2)


def test_the_command_imports_no_framework():
    script = "import compare.reading.glossary, sys; print({'keras', 'torch', 'jax', 'tensorflow'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert answer.stdout.strip() == "set()", answer.stderr


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("nn.Linear", "dense"),
        ("zero_grad", "fit"),
        ("cuda", "device"),
        ("합성곱", "convolution"),
        ("droput", "dropout"),
        ("torch.no_grad", "predict"),
        ("learning rate", "schedule"),
        ("EarlyStopping", "callback"),
        ("MultiheadAttention", "attention"),
        ("GlobalAveragePooling2D", "global_pooling"),
        ("qqqzzz", None),
    ],
)
def test_a_word_is_found_by_its_lines_by_what_people_say_and_with_a_typing_mistake(term, name):
    if name is None:
        with pytest.raises(TwinError, match="unknown term"):
            glossary.search(term)
    else:
        assert name in [entry.name for entry in glossary.search(term)]


@pytest.mark.parametrize(
    ("term", "says"),
    [
        ("LayerNormalization", "torch.nn.LayerNorm(normalized_shape, eps)"),
        ("nn.LayerNorm", "keras.layers.LayerNormalization(epsilon)"),
        ("torch.cat", "keras.ops.concatenate(xs, axis)"),
        ("permute", "keras.ops.transpose(x, axes)"),
        ("softmx", "torch.softmax(x, dim)"),
        ("batchnormalisation", "twin differences batchnorm_momentum"),
        ("GRU", "twin show gru"),
        ("nn.ModuleList", "Keras: nothing"),
    ],
)
def test_a_call_without_a_word_of_its_own_has_its_counterpart(term, says):
    assert any(says in glossary.page(each) for each in glossary.search(term))


@pytest.mark.parametrize("term", [".", "()", "x.", " "])
def test_what_is_no_word_finds_nothing_by_its_dots(term):
    with pytest.raises(TwinError, match="unknown term"):
        glossary.search(term)


@pytest.mark.parametrize(
    ("said", "entry"),
    [
        ("배치", "loader"),
        ("배치정규화", "statistics"),
        ("손실", "loss"),
        ("은닉층", "dense"),
        ("층", "layer"),
        ("전이학습", "transfer"),
        ("활성화함수", "activation"),
        ("경사하강법", "optimizer"),
    ],
)
def test_a_korean_word_is_found_with_or_without_spaces_and_as_people_say_it(said, entry):
    assert glossary.search(said)[0].name == entry
