"""Options beyond what exists, and files of inputs that are none: one line, exit code 2, before anything starts."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.test_records import answer_to
from tests.helpers.attack import CHECK, FAKE, fake, mostly_long, surroundings
from twin import arrays
from twin.errors import TwinError
from twin.untrusted import npz

VERIFY = ["verify", "a.py:make", "b.py:make"]
REFUSED = [
    (["check", "lenet", "--timeout", "inf"], "--timeout"),
    (["check", "lenet", "--timeout", "1e300"], "--timeout"),
    (["check", "lenet", "--timeout", "nan"], "--timeout"),
    (["check", "lenet", "--timeout", "-1"], "--timeout"),
    (["port", "mlp", "--timeout", "inf"], "--timeout"),
    (["check", "lenet", "--seed", "4294967296"], "--seed"),
    (["check", "lenet", "--seed", "9" * 5000], "--seed"),
    (["train", "lenet", "--seeds", "3,4294967296"], "too large"),
    (["train", "lenet", "--seeds", "²"], "--seeds"),
    (["train", "lenet", "--epochs", "9" * 21], "--epochs"),
    (["check", "lenet", "--jobs", "9" * 21], "--jobs"),
    (["bench", "lenet", "--threads", "9" * 12], "--threads"),
    (["bench", "lenet", "--budget", "1e300s"], "--budget"),
    (["bench", "lenet", "--budget", "infs"], "--budget"),
    (["bench", "lenet", "--budget", "nan"], "--budget"),
    (["bench", "lenet", "--precision", "nan%"], "--precision"),
    ([*VERIFY, "--input", "8", "--data", "x.npz"], "leave the other out"),
    ([*VERIFY, "--input", "8²"], "expected a shape without the batch"),
    ([*VERIFY, "--input", "0"], "expected a shape without the batch"),
    ([*VERIFY, "--input", "8,00"], "expected a shape without the batch"),
    ([*VERIFY, "--input", ",,"], "expected a shape without the batch"),
    ([*VERIFY, "--input", "9" * 5000], "expected at most 8 axes"),
    ([*VERIFY, "--input", "1000000000,1000000000"], "expected at most 8 axes"),
    ([*VERIFY, "--input", ",".join("1" * 40)], "expected at most 8 axes"),
    ([*VERIFY, "--input", "8", "--map", "a=b", "--map", "a=c"], "a is named twice"),
    ([*VERIFY, "--input", "8", "--map", "a=c", "--map", "b=c"], "c is named twice"),
    ([*VERIFY, "--input", "8", "--kwargs", "[" * 100_000], "it is nested too deep"),
    ([*VERIFY, "--input", "8", "--kwargs", '{"a": 1' + "0" * 5000 + "}"], "too many digits"),
    ([*VERIFY, "--input", "8", "--kwargs", '{"a": Infinity}'], "Infinity is no number"),
]


@pytest.mark.parametrize(("arguments", "says"), REFUSED, ids=[" ".join(each)[:60] for each, _ in REFUSED])
def test_an_option_beyond_what_exists_is_one_line(arguments, says):
    code, out, complaints = answer_to(*arguments)
    assert (code, out) == (2, ""), complaints
    assert says in complaints
    assert len(complaints.strip().splitlines()) <= 3  # folded to the terminal


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def plain(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archived(name, content, size=None):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    out = file.getvalue()
    return out if size is None else out.replace(len(content).to_bytes(4, "little"), size.to_bytes(4, "little"))


def bomb():
    """A few bytes that say that they are 16 GB."""
    says = {"descr": "<f4", "fortran_order": False, "shape": (2**32,)}
    return archived("x.npy", b"\x93NUMPY\x01\x00v\x00" + str(says).encode().ljust(117) + b"\n")


def encrypted():
    out = bytearray(saved(x=np.zeros(3)))
    for start in (out.find(b"PK\x03\x04") + 6, out.find(b"PK\x01\x02") + 8):
        out[start] |= 1
    return bytes(out)


SOUND = saved(x=np.zeros((4, 3), np.float32))
DATA = {
    "nothing": (b"", "cannot read"),
    "no zip": (b"no zip", "cannot read"),
    "one array": (plain(np.zeros(3)), "one array without a name"),
    "truncated": (SOUND[:-40], "cannot read"),
    "cut in the middle": (SOUND[: len(SOUND) // 2], "cannot read"),
    "damaged": (SOUND.replace(b"\x93NUMPY", b"\x93NUMPX"), "cannot read"),
    "encrypted": (encrypted(), "it is encrypted or damaged"),
    "objects": (saved(x=np.array([{}, []], dtype=object)), "holds objects"),
    "a bomb": (bomb(), "not as large as its shape"),
    "no array": (archived("x.txt", b"text"), "no arrays"),
    "a header of code": (archived("x.npy", b"\x93NUMPY\x01\x00\x10\x00__import__('os')\n"), "cannot read"),
    "strings": (saved(x=np.array(["a", "b"])), "expected numbers"),
    "complex": (saved(x=np.zeros(3, complex)), "expected numbers"),
    "a scalar": (saved(x=np.float32(1)), "has no rows"),
    "no number": (saved(x=np.array([[1.0, np.nan]])), "x has NaN or infinite values"),
    "too large for float32": (saved(x=np.array([[1.0, 1e300]])), "x has NaN or infinite values"),
    "no values in its rows": (saved(x=np.zeros((3, 0))), "has no rows"),
    "no rows": (saved(x=np.zeros((0, 3))), "has no rows"),
    "targets alone": (saved(y=np.zeros((2, 3))), "no arrays"),
    "a record": (saved(x=np.zeros(3, dtype=[("a", "f4")])), "expected numbers"),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_that_is_none_is_one_line(kind, tmp_path):
    content, says = DATA[kind]
    file = tmp_path / "data.npz"
    file.write_bytes(content)
    from compare.verify import run as examination

    with pytest.raises(TwinError, match=says) as told:
        examination._inputs(examination.Request("a.py:b", "c.py:d", data=file))
    assert str(told.value).startswith(f"--data cannot read {file}" if "cannot" in str(told.value) else "--data ")
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("kind", ["a device", "a named pipe", "a folder", "nowhere"])
def test_arrays_are_not_looked_for_where_a_file_has_no_end(kind, tmp_path):
    path = {"a device": Path("/dev/zero"), "a folder": tmp_path}.get(kind, tmp_path / "pipe")
    if kind == "a named pipe":
        os.mkfifo(path)
    for read in (npz, arrays.read):
        with pytest.raises(TwinError, match=r"no regular file|No such file|no file"):
            read(path)


@pytest.mark.parametrize(
    "y",
    [np.float32(1), np.array(["a"] * 4), np.zeros((2, 3)), np.array([None] * 4)],
    ids=["scalar", "text", "few", "none"],
)
def test_targets_that_are_none_are_one_line(y, tmp_path):
    from compare.verify import given

    np.savez(tmp_path / "data.npz", x=np.zeros((4, 3)), y=y)
    outputs, losses = {"y": np.zeros((4, 3))}, ("cross_entropy", "cross_entropy")
    with pytest.raises(TwinError, match=r"--data .*(y is|objects)"):
        given.given_to_loss(tmp_path / "data.npz", "", outputs, losses, {})


def test_data_are_read_as_they_were_written(tmp_path):
    given = {"x": np.arange(6.0).reshape(2, 3), "n": np.zeros((0, 2)), "s": np.float32(3)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", **given)
        found = npz(tmp_path / "data.npz")
        assert found.keys() == given.keys()
        for name, array in given.items():
            np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "env",
    mostly_long(
        [
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONIOENCODING": "ascii"},
            {"COLUMNS": "1"},
            {"COLUMNS": "0", "TERM": "dumb"},
            {"COLUMNS": "-5"},
            {"COLUMNS": "99999999999"},
            {"COLUMNS": "many"},
            {"PYTHONOPTIMIZE": "2"},
            {"PYTHONWARNINGS": "error"},
            {"PYTHONHASHSEED": "1", "PYTHONDEVMODE": "1"},
            {"HOME": "/nonexistent", "LANG": "xx_XX"},
            {"TZ": "nowhere"},
            {"PATH": "/nonexistent"},
        ],
        1,
    ),
)
def test_no_surroundings_end_a_command(env, tmp_path):
    for arguments in (CHECK, ["show", "lenet", "--no-pager"], ["glossary"], ["report", "--help"], ["check", "lenettt"]):
        answer = fake(tmp_path, *arguments, env=env, timeout=120)
        assert answer.returncode == (2 if "lenettt" in arguments else 0), answer.stderr
        assert "Traceback" not in answer.stderr
    (record,) = (tmp_path / "runs").glob("*.json")
    answer = fake(tmp_path, "report", record, "--html", "p.html", "--md", "-", env=env)
    assert answer.returncode == 0, answer.stderr


def test_paths_that_are_no_unicode_are_read_and_written(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(folder)
    environment = surroundings(tmp_path)
    for command in ([*CHECK, "--out", folder], ["check", b"\xff"]):
        answer = subprocess.run([*FAKE, *command], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
        assert answer.returncode == (2 if command[1] == b"\xff" else 0), answer.stderr
        assert b"Traceback" not in answer.stderr
    (record,) = os.listdir(folder)
    answer = subprocess.run(
        [*FAKE, "report", folder + b"/" + record, "--html", folder + b"/page.html"],
        env=environment,
        capture_output=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert sys.getfilesystemencoding() != "utf-8" or b"\xff" not in answer.stdout


@pytest.mark.parametrize("read", ["a.py", "b.py", "x.npz", "w.pt", "loss.py"])
def test_a_verdicts_page_is_not_written_over_what_was_read(read, tmp_path, monkeypatch):
    from compare.verify import page
    from compare.verify.run import Request
    from compare.verify.verdict import Verdict

    monkeypatch.chdir(tmp_path)
    (tmp_path / read).write_text("mine")
    request = Request("a.py:make", "b.py:make", data=Path("x.npz"), weights=["w.pt"], loss=["loss.py:own", "mse"])
    with pytest.raises(TwinError, match="which the command reads; choose another file"):
        page.write(tmp_path / read, request, Verdict("error"))
    assert (tmp_path / read).read_text() == "mine"


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_models_file_is_not_named_as_one_to_write(option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.py", "loss.py", "w.pt"):
        (tmp_path / name).write_text("mine")
        read = ["--loss", "y=loss.py:f", "--weights", "w.pt"]
        code, _, complaints = answer_to(*VERIFY, "--input", "3", *read, option, name)
        assert code == 2
        assert complaints == f"twin: {option} {name}: this is {name}, which the command reads; choose another file\n"


@pytest.mark.parametrize("read", ["text", "python"])
def test_a_pipe_is_read_to_its_end_and_not_waited_for_without_one(read, tmp_path, monkeypatch):
    from twin import untrusted

    monkeypatch.setattr(untrusted, "PIPE_SECONDS", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    call = {"text": lambda: untrusted.text(pipe, "a record"), "python": lambda: untrusted.python(pipe)[0]}[read]
    with pytest.raises(TwinError, match=r"cannot read .*: nobody has written to this pipe within 0\.5 s"):
        call()
    written = "x = 1\n" * 100_000  # more than a pipe holds
    with subprocess.Popen(["sh", "-c", f"sleep 0.1; printf 'x = 1\\n%.0s' $(seq 100000) > {pipe}"]):
        assert call() == written
