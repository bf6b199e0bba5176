"""What lies in the working folder or is named as an interpreter breaks no command, and is not run."""

import subprocess
import sys

import pytest

from compare.engines import guard
from tests.helpers.attack import CHECK, fake, left_of, mostly_long, wait_until
from tests.helpers.command import environment

NAMES = (
    *(
        "json",
        "numpy",
        "random",
        "signal",
        "typing",
        "types",
        "dataclasses",
        "tempfile",
        "pathlib",
        "subprocess",
        "errno",
    ),
    *("twin", "compare", "torch", "keras", "safetensors", "pydantic", "typer", "rich", "scipy", "psutil", "jinja2"),
    *("sitecustomize", "usercustomize", "sqlite3", "xml", "PIL", "h5py", "tabulate", "einops"),
)


@pytest.fixture
def hostile(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("open('was-run', 'w').close()\nraise SystemExit('the folder was run')\n")
    return tmp_path


@pytest.mark.parametrize("command", mostly_long(["check", "list", "report", "show"]))
def test_modules_in_the_working_folder_are_not_imported(command, hostile):
    if command == "check":
        answer = fake(hostile, *CHECK)
    elif command == "report":
        fake(hostile, *CHECK)
        (record,) = (hostile / "runs").glob("*.json")
        answer = fake(hostile, "report", record, "--html", "page.html")
    else:
        answer = fake(hostile, command, *(["lenet"] if command == "show" else []))
    assert answer.returncode == 0, answer.stderr
    assert not (hostile / "was-run").exists()


PAIR = {
    "keras.py": "import neighbour\nimport keras\n\ndef make():\n"
    "    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(neighbour.WIDTH)])\n",
    "torch.py": "import neighbour\nimport torch\n\ndef make():\n    return torch.nn.Linear(3, neighbour.WIDTH)\n",
    "neighbour.py": "WIDTH = 2\n",
}


@pytest.mark.framework
def test_models_in_files_that_are_called_as_frameworks_are_verified(hostile):
    for name, text in PAIR.items():
        (hostile / name).write_text(text)
    command = [sys.executable, "-P", "-m", "compare.cli", "verify", "keras.py:make", "torch.py:make", "--input", "3"]
    answer = subprocess.run(command, cwd=hostile, env=environment(), capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr
    assert not (hostile / "was-run").exists()


INTERPRETERS = {
    "prints bytes": ("#!/bin/sh\nprintf '\\377\\376\\000'\n", "does not run Python"),
    "prints words": ("#!/bin/sh\necho missing everything\n", "does not run Python: missing everything"),
    "says nothing": ("#!/bin/sh\n", "does not run Python: exit code 0"),
    "fails": ("#!/bin/sh\necho no such thing >&2; exit 3\n", "does not run Python: no such thing"),
    "no program": ("\x00\x01\x02", "does not run Python: Exec format error"),
}


@pytest.mark.parametrize("kind", mostly_long(INTERPRETERS))
@pytest.mark.parametrize("command", ["check", "doctor"])
def test_an_interpreter_that_is_none_is_one_line(kind, command, tmp_path):
    text, says = INTERPRETERS[kind]
    program = tmp_path / "python"
    program.write_text(text)
    program.chmod(0o755)
    answer = fake(tmp_path, command, *(CHECK[1:] if command == "check" else []), "--python", f"torch={program}")
    assert answer.returncode == 2, answer.stdout
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


UNANSWERED = {
    "sleeps": "exec sleep 600",
    "writes without end": "exec yes",
    "leaves a child": "sleep 600 & sleep 600",
}


def started(folder):
    """What is left of a program, the shell that watches over this process's workers not counted."""
    return [each for each in left_of(folder) if guard.SCRIPT not in each]


@pytest.mark.parametrize("kind", UNANSWERED)
def test_an_interpreter_that_does_not_answer_is_one_line_and_is_ended(kind, tmp_path, monkeypatch):
    from compare.engines import engine
    from twin.errors import TwinError

    monkeypatch.setattr(engine, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{UNANSWERED[kind]}\n")
    program.chmod(0o755)
    with pytest.raises(TwinError, match=r"does not run Python: no answer within 0\.3 s"):
        engine.choose(["torch"], {"torch": str(program)})
    wait_until(lambda: started(tmp_path) == [])


def test_what_an_interpreter_has_started_ends_with_it(tmp_path, monkeypatch):
    from compare.engines import engine
    from twin.errors import TwinError

    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nsleep 600 & exit 0\n")
    program.chmod(0o755)
    with pytest.raises(TwinError, match="does not run Python: exit code 0"):
        engine.choose(["torch"], {"torch": str(program)})
    wait_until(lambda: started(tmp_path) == [])


def test_a_library_that_only_measuring_needs_is_named_where_it_is_missing(monkeypatch):
    from compare.reading import dataflow_places
    from twin.errors import TwinError

    monkeypatch.setitem(sys.modules, "fast_sugiyama", None)
    with pytest.raises(TwinError, match="pip install fast-sugiyama"):
        dataflow_places._in_ranks([])


CONFIGURED = {
    "another layout and accuracy": ('{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1}', 0),
    "what Keras refuses": ('{"floatx": "float99"}', 3),
}


@pytest.mark.framework
@pytest.mark.long  # Keras is imported twice in each
@pytest.mark.parametrize("kind", CONFIGURED)
def test_how_a_user_has_configured_keras_is_no_difference(kind, tmp_path):
    text, code = CONFIGURED[kind]
    (tmp_path / "keras.json").write_text(text)
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "compare.cli", "check", "pooling", "lenet", "--engine", "keras-torch"],
        cwd=tmp_path,
        env=environment() | {"KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert answer.returncode == code, answer.stdout
    assert code == 0 or "Invalid `floatx`" in answer.stdout


def test_a_worker_that_cannot_import_its_framework_differs_from_nothing():
    from compare.engines.process import Worker, WorkerFailed
    from compare.engines.session import Session
    from tests.helpers.told_worker import told

    says = '{"ok": false, "status": "failed", "reason": "ImportError: no libcuda"}'
    session = Session(Worker(told(f"read -r x; echo '{says}'; sleep 60")), 20)
    with pytest.raises(WorkerFailed, match="no libcuda") as failure:
        session.greet("cpu")
    assert failure.value.status == "crashed"
