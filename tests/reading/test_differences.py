"""Every row of the catalogue of differences, on every Keras backend: the gap is there, its remedy mends it.

A row that an installed version changes fails here, and so does docs/differences.md when it is out of date. All rows
are measured once, by the code behind `twin differences`.
"""

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from compare.engines.engine import ENGINES
from compare.engines.pool import Settings
from compare.reading import differences
from compare.reading import differences_text as differences_report
from compare.reading.differences import Finding, Gap
from tests.helpers import aside, asking
from tests.helpers.command import TWIN, environment
from twin.differences import ROWS, TOPICS, Drawn, Row, find, topic_of
from twin.errors import TwinError
from twin.paths import ROOT

BACKENDS = ("tensorflow", "jax", "torch")
CASES = [
    pytest.param(row, backend, marks=[] if backend == "torch" else [pytest.mark.long], id=f"{row.name}-{backend}")
    for row in ROWS.values()
    for backend in BACKENDS
    if row.is_about(backend)
]
REAL = [row for row in ROWS.values() if row.kind != "none"]


@pytest.fixture(scope="module")
def measured(request):
    """All rows, on the chosen engines that are installed; without a long test, natively and on PyTorch alone."""
    every = any(item.get_closest_marker("long") for item in asking.items(request, "measured"))
    names = request.config.getoption("--engine") or (list(ENGINES) if every else ["torch", "keras-torch"])
    engines = [engine for name, engine in ENGINES.items() if name in names and not engine.missing()]
    if ENGINES["torch"].missing() or all(engine.side == "torch" for engine in engines):
        pytest.skip("a difference takes PyTorch and a Keras engine")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aside.QUICK.items():
            patch.setenv(name, value)
        return differences.measure(ROWS.values(), engines, Settings())


@pytest.fixture
def finding(measured, row, backend) -> Finding:
    """What that row shows with Keras on that backend."""
    found = {finding.backend: finding for finding in measured[0][row.name]}
    if backend not in found:
        pytest.skip(f"keras-{backend} is not chosen, or not installed")
    assert found[backend].trouble == ""
    return found[backend]


@pytest.mark.parametrize(("row", "backend"), CASES)
@pytest.mark.framework
def test_a_row_holds(row, backend, finding):
    recorded = row.gap_on(backend)
    if recorded == 0:
        assert finding.gap.rel_l2 <= row.limit, "a gap where none was recorded"
        assert not finding.equal
    else:
        rounding = 0.005  # of three digits
        assert finding.gap.max_abs == pytest.approx(recorded, rel=row.band + rounding), (
            "the gap is another than recorded"
        )
        assert finding.gap.rel_l2 > 3 * row.limit, "the limit of agreement would let the gap through"
        assert finding.equal, "no remedy"
    for side, left in finding.equal.items():
        assert left.rel_l2 <= row.limit, f"{side}'s equal line does not do what the other side's usual line does"
    if row.hiding:
        assert finding.hidden.rel_l2 <= row.limit, "the hiding inputs do not hide it"
    assert finding.agrees(row)


@pytest.mark.long
@pytest.mark.framework
def test_the_document_is_what_the_command_writes_now(measured):
    findings, versions = measured
    if {finding.backend for found in findings.values() for finding in found} != set(BACKENDS):
        pytest.skip("the document has every backend")
    written = (ROOT / "docs" / "differences.md").read_text().splitlines()
    now = differences_report.markdown(findings, versions).splitlines()
    assert [_without_figures(line) for line in written] == [_without_figures(line) for line in now], (
        "run: twin differences --md docs/differences.md"
    )


@pytest.mark.docs
def test_the_document_has_the_words_of_the_catalogue():
    """But for the figures, which take every backend to measure."""
    findings = {
        row.name: [Finding(backend, Gap(1.0, 1.0), {}, Gap(0.0, 0.0)) for backend in BACKENDS if row.is_about(backend)]
        for row in ROWS.values()
    }
    page = (ROOT / "docs" / "differences.md").read_text()
    words = [
        [line for line in text.splitlines() if not line.startswith(("Measured with ", "- Keras on "))]
        for text in (page, differences_report.markdown(findings, {}))
    ]
    assert words[0] == words[1], "run: make docs"


def _without_figures(line: str) -> str:
    """The figures' last digits are the machine's, and test_a_row_holds has them; the rest is to be the same."""
    if line.startswith("Measured with "):
        return ""
    return re.sub(r"\d[\d.]*(e[-+]\d+)?", "#", line) if line.startswith("- Keras on ") else line


@pytest.mark.framework
def test_the_table_has_every_row_in_eighty_columns(measured):
    lines = differences_report.table(measured[0]).splitlines()
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines if line} >= set(ROWS)


def test_there_are_enough_rows_and_each_has_its_words():
    assert len(REAL) >= 40
    assert len(ROWS) == sum(map(len, TOPICS.values())), "two rows of the same name"
    for row in REAL:
        for words in (row.title, row.keras, row.torch, row.source, row.remedy, row.hides):
            assert words.strip(), row.name
    assert all(not row.hiding.keys() - row.inputs.keys() for row in REAL)


def test_sources_exist():
    """A file that a row cites is in the installed package; what is cited else is an issue or a page."""
    for row in REAL:
        for cited in re.split("; | and |, as called from |, with ", row.source):
            path = cited.split(",")[0]
            package = path.split("/")[0]
            if package in ("keras", "torch", "tensorflow") and "/" in path:
                if find_spec(package) is not None:
                    home = Path(find_spec(package).submodule_search_locations[0])
                    assert (home.parent / path).exists(), f"{row.name} cites {path}"
            else:
                assert re.search(r"issues? \d+|pull request \d+|\d{5}|\.(io|org)/|20\d\d|^[\w ,]+$", cited), cited


@pytest.mark.parametrize("topic", TOPICS)
def test_every_function_has_a_row_and_every_row_its_functions(topic):
    rows = {row.name for row in TOPICS[topic]}
    defined = {}
    for side in ("keras", "torch"):
        tree = ast.parse((ROOT / f"{side}_impl" / "differences" / f"{topic}.py").read_text())
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        public = {name: node for name, node in functions.items() if not name.startswith("_")}
        assert {name.removesuffix("_equal") for name in public} == rows
        assert rows <= public.keys(), "an equal line without the usual one"
        defined[side] = public
    for name in rows:
        row = find(name)
        either = [side for side, functions in defined.items() if f"{name}_equal" in functions]
        assert bool(either) == (row.kind != "none"), f"{name} has {either or 'no equal line'}"
        for functions in defined.values():
            for written in {name, f"{name}_equal"} & functions.keys():
                assert [argument.arg for argument in functions[written].args.args] == list(row.inputs)


def test_inputs_are_the_same_every_time_and_differ_from_each_other():
    row = Row("r", "", "", "", "", "", "", 0.0, {"a": Drawn((3,)), "b": Drawn((3,)), "c": [1, 2]}, {"b": [0.0] * 3})
    first, again = row.arrays(), row.arrays()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["a"], first["b"])
    assert (first["a"].dtype, first["c"].dtype) == (np.float32, np.int32)
    assert np.array_equal(row.arrays(hiding=True)["a"], first["a"])
    assert not row.arrays(hiding=True)["b"].any()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"equal": {"torch": Gap(1.0, 0.5)}}, 1),
        ({"hidden": Gap(1.0, 0.5)}, 1),
        ({"hidden": Gap(float("inf"), float("inf"))}, 1),
        ({"gap": None, "equal": {}, "trouble": "the worker ended"}, 3),
    ],
    ids=["agrees", "no-remedy", "not-hidden", "nan", "not-measured"],
)
def test_exit_code(changes, code):
    good = Finding("jax", Gap(1.0, 0.5), {"keras": Gap(1e-8, 1e-8)}, Gap(0.0, 0.0))
    assert differences.exit_code({"flatten_order": [replace(good, **changes)]}) == code


def test_nothing_measured_is_incomplete():
    assert differences.exit_code({"gelu_float64": []}) == 3


def test_a_gap_where_there_should_be_none_is_a_failure():
    assert differences.exit_code({"elu_alpha": [Finding("jax", Gap(0.1, 0.1))]}) == 1
    assert differences.exit_code({"elu_alpha": [Finding("jax", Gap(1e-8, 1e-8))]}) == 0


@pytest.mark.parametrize(
    ("keras", "torch", "says"),
    [
        ([1.0, np.nan], [1.0, 2.0], Gap(np.inf, np.inf)),
        ([1.0, 2.0], [1.0, 4.0], Gap(2.0, 2 / 17**0.5)),
        ([1.0, 2.0, 3.0], [1.0, 2.0], None),
        ("keras-jax: it broke", [1.0, 2.0], None),
    ],
    ids=["nan", "numbers", "shapes", "no-answer"],
)
def test_answers_are_compared(keras, torch, says):
    answers = [{("std_ddof", "usual"): a if isinstance(a, str) else np.array(a)} for a in (keras, torch)]
    found = differences._compare(ROWS["std_ddof"], "jax", *answers)
    assert found.gap == says
    assert bool(found.trouble) == (says is None)


@pytest.mark.framework
def test_a_row_in_full_shows_both_lines_and_its_helpers(tmp_path):
    command = [*TWIN, "differences", "adam_epsilon", "--engine", "keras-torch"]
    env = environment()
    answer = subprocess.run(
        [*command, "--json", "found.json"], capture_output=True, text=True, cwd=tmp_path, env=env, timeout=240
    )
    assert answer.returncode == 0, answer.stderr
    for part in ("optimizers.Adam()", "torch.optim.Adam,", "def _steps(", "1e-7", "Remedy:", "Source:", "gap 0.000878"):
        assert part in answer.stdout
    (row,) = json.loads((tmp_path / "found.json").read_text())
    assert row.keys() >= {"name", "topic", "title", "kind", "source", "remedy", "code", "backends"}
    assert row["backends"]["torch"]["gap"]["max_abs"] == pytest.approx(0.000878, rel=0.01)


def test_an_unknown_row_offers_the_nearest():
    with pytest.raises(TwinError, match="unknown difference 'batchnorm_eps'; did you mean batchnorm_epsilon"):
        find("batchnorm_eps")
    assert topic_of("batchnorm_epsilon") == "normalization"


def test_two_frameworks_are_needed():
    with pytest.raises(TwinError, match="differences take Keras too"):
        differences.measure([ROWS["std_ddof"]], [ENGINES["torch"]], Settings())


def test_the_command_imports_no_framework():
    frameworks = "{'keras', 'torch', 'jax', 'tensorflow'}"
    script = f"import compare.reading.differences_text, sys; print({frameworks} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert answer.stdout.strip() == "set()", answer.stderr
