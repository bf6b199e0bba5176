"""No disk, file handles, memory or temporary folder: exit code 3 with the cause, and what was measured is kept."""

import contextlib
import errno
import os
import resource
import subprocess

import pytest

from compare.engines import engine, process
from compare.record.record import read_record
from compare.train import logs
from tests.attacks.test_records import answer_to
from tests.helpers import fake_twin
from tests.helpers.attack import CHECK, FAKE, fake, left_of, mostly_long, surroundings
from tests.helpers.told_worker import told

LIMITS = [
    ("ulimit -n 8", "Too many open files"),
    ("ulimit -f 0", "File too large"),
    ("ulimit -n 5", "Too many open files"),
    ("ulimit -n 12", "Too many open files"),
]


def limited(limit, folder, command):
    return subprocess.run(
        ["bash", "-c", f"{limit}; {command}"],
        cwd=folder,
        env=surroundings(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("limit", "says"), mostly_long(LIMITS))
def test_a_shortage_is_named_and_costs_what_it_must(limit, says, tmp_path):
    answer = limited(limit, tmp_path, " ".join([*FAKE, *CHECK]))
    assert answer.returncode == 3, answer.stderr
    assert says in " ".join((answer.stdout + answer.stderr).split())
    assert "Traceback" not in answer.stderr
    assert left_of(tmp_path) == []


def test_a_record_that_outgrows_the_disk_keeps_what_was_measured(tmp_path):
    assert fake(tmp_path, *CHECK).returncode == 0
    (whole,) = (tmp_path / "runs").iterdir()
    room = whole.stat().st_size - 100  # how large a record is depends on what is installed, and on no more than this
    whole.unlink()
    answer = subprocess.run(
        [*FAKE, *CHECK],
        cwd=tmp_path,
        env=surroundings(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert answer.returncode == 3, answer.stderr
    assert "lacks the newest results of the table: " in answer.stderr
    assert "File too large" in answer.stderr
    assert "Traceback" not in answer.stderr
    (record,) = (tmp_path / "runs").iterdir()
    assert [each.status for each in read_record(record).measurements].count("ok") == 2
    assert left_of(tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize("kilobytes", [400_000, 600_000])
def test_little_memory_leaves_no_traceback(kilobytes, tmp_path):
    answer = limited(f"ulimit -v {kilobytes}", tmp_path, " ".join([*FAKE, *CHECK, "--timeout", "5"]))
    assert answer.returncode in (0, 3), answer.stderr
    assert "Traceback" not in answer.stderr
    assert left_of(tmp_path) == []


@pytest.mark.parametrize("option", mostly_long(["--html", "--md", "--csv", "--json"]))
def test_a_page_that_cannot_be_written_whole_leaves_the_older_one(option, tmp_path):
    assert fake(tmp_path, *CHECK).returncode == 0
    (record,) = (tmp_path / "runs").iterdir()
    page = tmp_path / "page"
    page.write_text("older")
    command = f"report {record} {option} {page}" if option != "--json" else f"diff {record} {record} --json {page}"
    answer = limited("ulimit -f 0", tmp_path, f"{' '.join(FAKE)} {command}")
    assert answer.returncode == 3, answer.stderr
    assert "File too large" in answer.stderr
    assert page.read_text() == "older"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page", "runs", "tmp"]


def test_weights_that_cannot_be_kept_are_told_and_the_training_is_in_the_record(tmp_path):
    (tmp_path / "kept" / "transfer_learning-torch.safetensors").mkdir(parents=True)
    command = ["train", "transfer_learning", "--engine", "torch", "--engine", "torch:compile", "--save", "kept"]
    answer = fake(tmp_path, *command, env={"TWIN_WORKER": "tests.helpers.fake_model"})
    assert answer.returncode == 3, answer.stderr
    assert "Is a directory" in " ".join(answer.stdout.split())
    assert "Traceback" not in answer.stderr
    (record,) = (tmp_path / "runs").iterdir()
    assert [each.result.value for each in read_record(record).measurements] == [0.95, 0.95]
    assert sorted(each.name for each in (tmp_path / "kept").iterdir() if each.is_file()) == [
        "transfer_learning-torch:compile.safetensors"
    ]
    assert left_of(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "room"), mostly_long([("train", 0), ("train", 1), ("compare", 1), ("train", "end")], 2)
)
def test_a_log_that_cannot_be_kept_is_told_and_the_training_is_in_the_record(command, room, tmp_path, monkeypatch):
    """On a disk that is full from the start, or fills with the first values, or while a log is closed."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    written = []

    def write(self, data):
        written.append(data)
        if len(written) > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if room == "end":
        monkeypatch.setattr(logs, "_tensorboard", full_at_the_end)
    else:
        monkeypatch.setattr(RecordWriter, "write", write)
    monkeypatch.setenv("TWIN_WORKER", "tests.helpers.fake_model")
    for name, each in engine.ENGINES.items():
        monkeypatch.setitem(engine.ENGINES, name, each)
    fake_twin.plant()
    monkeypatch.chdir(tmp_path)
    arguments = [command, "transfer_learning", "--engine", "torch", "--engine", "torch:compile", "--log", "tensorboard"]
    if command == "compare":
        arguments += ["--quick", "--timeout", "20"]
    code, out, complaints = answer_to(*arguments)
    assert code == 3, complaints
    words = " ".join(out.split())
    assert "--log tensorboard: cannot write to runs/tensorboard/" in words
    assert "No space left on device" in words
    (record,) = (tmp_path / "runs").glob("*.json")
    trained = [each for each in read_record(record).measurements if each.measure == "train"]
    assert [(each.result.value, each.status) for each in trained] == [(0.95, "crashed")] * 2


@contextlib.contextmanager
def full_at_the_end(folder, measurement):
    yield lambda values, step: None
    with logs._mistakes("tensorboard", folder, OSError):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.long
@pytest.mark.parametrize("folder", ["/nonexistent", "/dev/null", "/proc"])
def test_another_temporary_folder_is_taken_where_the_given_one_is_none(folder, tmp_path):
    answer = fake(tmp_path, *CHECK, env={"TMPDIR": folder})
    assert answer.returncode == 0, answer.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "runs").mkdir(mode=0o500)
    answer = fake(tmp_path, *CHECK)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1


FAULTS = [
    ("descriptors", "wrote what is no answer"),
    ("daemon", "no answer within 2 s"),
    ("exit", "ended with exit code 0"),
    ("asks", "EOFError"),
    ("reads", "IndexError"),
    ("segfault", "ended by SIGSEGV"),
    ("spin", "no answer within 2 s"),
    ("children", "no answer within 2 s"),
    ("hang", "no answer within 2 s"),
    ("recursion", "RecursionError"),
    ("disk", "cannot write /dev/full/x"),
]


@pytest.mark.long
def test_a_model_that_forks_is_answered_for_once(tmp_path):
    answer = fake(tmp_path, *CHECK, env={"TWIN_FAULT": "fork"})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert left_of(tmp_path) == []


@pytest.mark.parametrize(("fault", "says"), mostly_long(FAULTS, 2))
def test_a_worker_that_goes_wrong_costs_its_own_measurement(fault, says, tmp_path):
    answer = fake(tmp_path, *CHECK, "--timeout", "2", env={"TWIN_FAULT": fault})
    assert answer.returncode == 3, answer.stdout + answer.stderr
    assert says in " ".join(answer.stdout.split())
    (record,) = (tmp_path / "runs").iterdir()
    status = {each.twin: each.status for each in read_record(record).measurements}
    assert status.pop("pooling") in ("crashed", "timeout")
    assert set(status.values()) == {"ok"}
    assert left_of(tmp_path) == []


def test_a_worker_that_the_system_kills_for_want_of_memory_is_told_apart(tmp_path, monkeypatch):
    """Whether a control group or the machine had none left: the kernel counts both in one place."""
    counters = tmp_path / "vmstat"
    counters.write_text("pgfault 7\noom_kill 3\n")
    monkeypatch.setattr(process, "COUNTERS", counters)
    for count, status in ((4, "oom_host"), (4, "crashed")):
        worker = process.Worker(told(f"read -r x; echo oom_kill {count} > {counters}; kill -KILL $$"))
        with pytest.raises(process.WorkerFailed) as failure:
            worker.ask(dict, "open", 10)
        assert failure.value.status == status
