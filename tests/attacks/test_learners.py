"""Python files and progress files that a learner may have: read as Python reads them, or refused in one line."""

import codecs
import json

import pytest

from compare.port import folder as porting
from compare.port import skeleton
from tests.attacks.test_records import answer_to
from tests.helpers import mutations
from tests.helpers.attack import mostly_long
from twin import untrusted
from twin.catalogue import find
from twin.errors import TwinError
from twin.paths import source

OWN = source("torch", find("mlp"))
ACCENT = "# é\n"
READ = {
    "utf-8": (ACCENT + OWN).encode(),
    "a byte-order mark": codecs.BOM_UTF8 + (ACCENT + OWN).encode(),
    "a declared coding": b"# -*- coding: latin-1 -*-\n" + (ACCENT + OWN).encode("latin-1"),
    "coding in the second line": b"\n# vim: set fileencoding=cp1252 :\n" + (ACCENT + OWN).encode("cp1252"),
    "line ends of Windows": (ACCENT + OWN).replace("\n", "\r\n").encode(),
    "an escape that is none": (OWN + "\nPATTERN = '\\d'\n").encode(),
    "fifty terms": (OWN + f"\nTOTAL = {' + '.join(['1'] * 50)}\n").encode(),
}


@pytest.mark.parametrize("kind", READ)
def test_a_learners_file_is_read_as_python_reads_it(kind, tmp_path):
    path = tmp_path / "mlp_torch.py"
    path.write_bytes(READ[kind])
    text, tree = porting.read(path, untrusted.python(path)[1])
    assert "\r" not in text
    assert set(skeleton.units(tree)) == {"MLP.__init__", "MLP.forward"}
    assert "é" in text or ACCENT.encode() not in READ[kind]


DEEP = 20_000
REFUSED = {
    "parentheses": (f"x = {'(' * DEEP}1{')' * DEEP}", "mlp_torch.py:1: too many nested parentheses"),
    "terms": (f"x = {' + '.join(['1'] * DEEP)}", "nested too deep"),
    "attributes": (f"x = a{'.b' * DEEP}", "nested too deep"),
    "minus signs": (f"x = {'-' * DEEP}1", "nested too deep"),
    "lists": (f"x = {'[' * 150}{']' * 150}", "nested too deep"),
    "a thousand branches": ("if a:\n    pass\n" + "elif a:\n    pass\n" * 1000, "nested too deep"),
    "indentation": ("".join(f"{' ' * at}if a:\n" for at in range(120)) + " " * 120 + "pass", "too many levels"),
    "digits": (f"x = {'9' * 5000}", "mlp_torch.py:1: Exceeds the limit"),
    "nul": ("x = '\x00'", "null byte"),
    "unknown coding": ("# coding: klingon\nx = 1", "unknown encoding: klingon"),
    "another coding": (b"# coding: ascii\nx = '\xe9'", "mlp_torch.py"),
    "utf-16": ("x = 1".encode("utf-16"), "mlp_torch.py"),
    "binary": (bytes(range(256)), "mlp_torch.py"),
    "nothing": ("", "class MLP is missing"),
    "too large": ("#" * (untrusted.MOST_CODE + 1), "larger than 4 MiB"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_learners_file_that_python_cannot_read_is_one_line(kind, tmp_path):
    content, says = REFUSED[kind]
    path = tmp_path / "mlp_torch.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, complaints = answer_to("port", "mlp", "--check", path, "--to", "torch")
    assert (code, out) == (2, ""), complaints
    assert says in complaints
    assert len(complaints.splitlines()) == 1
    assert len(complaints) < 500


def test_a_learners_file_without_end_is_one_line():
    with pytest.raises(TwinError, match="larger than 4 MiB"):
        untrusted.python("/dev/zero")


SOUND = {
    "twin": "mlp",
    "to": "torch",
    "states": {"MLP.__init__": "right", "MLP.forward": "empty"},
    "hints": {"MLP.forward": 1},
    "checked": {"MLP.__init__": "0123456789abcdef"},
}


@pytest.mark.parametrize("part", mostly_long(range(4)))
def test_no_mutation_of_a_progress_file_gets_through(part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert answer_to("port", "mlp", "--to", "torch")[0] == 0
    progress = tmp_path / "port" / "mlp-torch" / "progress.json"
    for seed in range(part * 25, part * 25 + 25):
        if seed % 4:
            progress.write_text(mutations.text_of(mutations.of_json(SOUND, seed)))
        else:
            progress.write_bytes(mutations.of_bytes(json.dumps(SOUND).encode(), seed))
        for arguments in (["port", "mlp", "--hint"], ["port", "mlp", "--check"], ["path"]):
            kept = progress.read_bytes()
            code, _, complaints = answer_to(*arguments)
            assert code in (0, 1, 2, 3), (seed, complaints)
            assert code != 2 or len(complaints.strip().splitlines()) == 1, (seed, complaints)
            progress.write_bytes(kept)
