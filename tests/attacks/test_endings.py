"""However a command ends, it leaves no traceback, no process, no temporary file, and a record that can be read."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from compare.cli import main
from compare.record.record import read_record
from tests.helpers.attack import CHECK, FAKE, fake, left_of, mostly_long, running, surroundings, wait_until
from tests.helpers.command import environment

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the tests look at processes through /proc")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131}


def record_in(folder):
    (file,) = (folder / "runs").glob("check-*.json")
    return read_record(file)


@pytest.mark.parametrize(
    ("number", "times"), mostly_long([(number, times) for times in (30, 2, 1) for number in CODES], 2)
)
def test_a_signal_ends_a_run_that_hangs_and_what_was_measured_is_kept(number, times, tmp_path):
    with running(tmp_path, *CHECK, env={"TWIN_FAULT": "spin"}) as process:
        wait_until(lambda: list((tmp_path / "runs").glob("*.json")) and record_in(tmp_path).measurements[0].result)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.01)
        _, said = process.communicate(timeout=30)
    assert process.returncode == CODES[number], said
    assert b"Traceback" not in said
    assert b"1 of 3 measurements are in" in said
    assert [each.status for each in record_in(tmp_path).measurements] == ["ok", "not_run", "not_run"]
    assert left_of(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "after"),
    mostly_long([(number, tenths / 10) for tenths in range(6) for number in (signal.SIGINT, signal.SIGTERM)]),
)
def test_a_signal_in_the_first_half_second(number, after, tmp_path):
    with running(tmp_path, *CHECK, env={"TWIN_FAULT": "spin"}) as process:
        time.sleep(after)
        process.send_signal(number)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == CODES[number], said
    assert b"Traceback" not in said
    assert left_of(tmp_path) == []


@pytest.mark.parametrize(("library", "command"), [("typer", ["list"]), ("numpy", ["check", "mlp"])])
def test_what_keeps_the_command_from_starting_is_one_line(library, command, tmp_path):
    (tmp_path / library).mkdir()
    (tmp_path / library / "__init__.py").write_text("raise ImportError('libc is too old')\n")
    code = "from compare.cli import main; main.main()"
    answer = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=surroundings(tmp_path) | {"PYTHONPATH": f"{tmp_path}:{environment()['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 70
    assert answer.stderr.startswith("twin: cannot start: ImportError: libc is too old; please report it with ")
    assert len(answer.stderr.splitlines()) == 1


def test_a_temporary_folder_that_somebody_empties_costs_no_other_measurement(tmp_path):
    with running(tmp_path, *CHECK, "--timeout", "3", env={"TWIN_FAULT": "spin"}) as process:
        wait_until(lambda: list((tmp_path / "runs").glob("*.json")) and record_in(tmp_path).measurements[0].result)
        shutil.rmtree(tmp_path / "tmp", ignore_errors=True)  # a worker may be writing there
        out, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    before, hit, after = (each.status for each in record_in(tmp_path).measurements)
    assert (before, after) == ("ok", "ok"), out
    assert hit in ("timeout", "crashed"), out  # the folder was emptied before, or while, a worker wrote there
    wait_until(lambda: left_of(tmp_path) == [])


def test_a_signal_that_an_import_swallowed_ends_the_command(monkeypatch):
    monkeypatch.setattr(main.SIGNALS, "number", signal.SIGTERM)
    monkeypatch.setattr("sys.argv", ["twin", "list"])
    with pytest.raises(KeyboardInterrupt):
        main.run()


@pytest.mark.parametrize(
    ("fault", "number"),
    mostly_long(
        [
            ("children", signal.SIGKILL),
            ("daemon", signal.SIGKILL),
            ("spin", signal.SIGKILL),
            ("spin", signal.SIGALRM),
            ("spin", signal.SIGABRT),
            ("spin", signal.SIGSEGV),
        ]
    ),
)
def test_workers_and_what_they_started_end_with_a_command_that_is_killed(fault, number, tmp_path):
    with running(tmp_path, *CHECK, env={"TWIN_FAULT": fault}) as process:
        wait_until(lambda: list((tmp_path / "runs").glob("*.json")) and record_in(tmp_path).measurements[0].result)
        assert left_of(tmp_path)
        process.send_signal(number)
        process.wait()
        wait_until(lambda: not left_of(tmp_path), 10)
    assert process.returncode == -number
    assert len(list((tmp_path / "runs").iterdir())) == 1  # no lock beside the record
    assert [each.status for each in record_in(tmp_path).measurements] == ["ok", "not_run", "not_run"]


@pytest.mark.long
def test_a_signal_that_was_ignored_stays_so(tmp_path):
    """As under nohup."""
    command = f"trap '' HUP; exec {' '.join([*FAKE, *CHECK])}"
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=tmp_path, env=surroundings(tmp_path, {"TWIN_DELAY": "0.1"}), stderr=subprocess.PIPE
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("redirection", "code"),
    mostly_long(
        [
            (">/dev/full", 3),
            ("| head -c 10", 0),
            (">&- 2>&- <&-", 0),
            (">&-", 0),
            ("2>&-", 0),
            ("2>/dev/full", 0),
            (">/dev/full 2>/dev/full", 3),
            ("| true", 0),
            ("2>&1 >&- | true", 0),
        ],
        2,
    ),
)
def test_where_nothing_can_be_printed_the_record_is_written(redirection, code, tmp_path):
    command = f"set -o pipefail; {' '.join([*FAKE, *CHECK])} {redirection}"
    answer = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=surroundings(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr
    assert [each.status for each in record_in(tmp_path).measurements] == ["ok"] * 3
    assert left_of(tmp_path) == []


@pytest.mark.parametrize("command", mostly_long(["list", "glossary", "differences", "show lenet", "report --help"]))
def test_a_reader_that_has_gone_leaves_no_traceback(command, tmp_path):
    line = f"{' '.join(FAKE)} {command} | head -c 10"
    answer = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=surroundings(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr


PLANTED = """
import sys
from compare.cli import main
from compare.cli.app import app
def fail():
    {fault}
app.command("planted")(fail)
sys.argv = ["twin", "planted"]
main.main()
"""


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    mostly_long(
        [
            ("{}['no such key']", 70, "twin: a fault of its own, KeyError: 'no such key'; please report it with "),
            ("raise ValueError('one\\ntwo')", 70, "ValueError: one two"),
            ("fail()", 70, "RecursionError"),
            ("raise MemoryError", 3, "twin: Cannot allocate memory; what was measured until then is kept"),
            ("raise OSError(28, 'x')", 3, "twin: No space left on device"),
            ("with open('/dev/full', 'w') as file: file.write('x')", 3, "twin: No space left on device"),
            ("import os; os.mkdir('x'); os.chdir('x'); os.rmdir('../x'); os.getcwd()", 3, "the working folder is gone"),
            ("raise KeyboardInterrupt", 130, ""),
        ],
        2,
    ),
)
def test_no_traceback_leaves_the_command_line(fault, code, says, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", PLANTED.format(fault=fault)],
        cwd=tmp_path,
        env=surroundings(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == code, answer.stderr
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) <= 1
    files = list((tmp_path / "tmp").iterdir())
    assert len(files) == (code == 70)
    if files:
        assert str(files[0]) in answer.stderr
        assert "Traceback (most recent call last)" in files[0].read_text()


def test_a_fault_of_its_own_is_told_where_no_file_can_be_written(tmp_path):
    text = PLANTED.format(fault="import tempfile; tempfile.tempdir = '/dev/null'; 1 / 0")
    answer = subprocess.run([sys.executable, "-c", text], env=surroundings(tmp_path), capture_output=True, text=True)
    assert answer.returncode == 70
    assert "ZeroDivisionError: division by zero; at <string>:6" in answer.stderr


def test_printed_control_characters_steer_no_terminal(tmp_path):
    answer = fake(tmp_path, "check", "\x1b[31mlenet\x07\x9b", "--engine", "to\x1brch")
    assert answer.returncode == 2
    assert not any(ord(each) < 32 and each != "\n" for each in answer.stderr)


def test_a_request_larger_than_a_pipe_does_not_wait_longer_for_a_worker_that_is_stopped():
    from compare.engines.process import Worker, WorkerFailed
    from tests.helpers.told_worker import told

    worker = Worker(told("kill -STOP $$"))
    started = time.monotonic()
    with pytest.raises(WorkerFailed, match=r"no answer within 0\.5 s"):
        worker.ask(dict, "open", 0.5, model="x" * 2**20)
    assert time.monotonic() - started < 10
