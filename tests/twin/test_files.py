"""The one writer: whole files, devices and pipes, links, modes, and records that stay as they are."""

import json
import os
import subprocess
import threading

import pytest

from tests.helpers import synthetic
from tests.helpers.command import twin
from twin.errors import TwinError
from twin.files import write_json, write_text


def test_a_device_is_written_to_and_stays_a_device():
    before = os.stat("/dev/null").st_rdev
    write_json("/dev/null", {"a": 1}, "--json")
    assert os.stat("/dev/null").st_rdev == before


def test_a_named_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "through")
    reader.join(10)
    assert read == ["through"]
    assert pipe.is_fifo()


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    target, link = tmp_path / "folder" / "file", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_a_file_keeps_its_mode(mode, tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(mode)
    write_text(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", mode)


@pytest.mark.parametrize("by_link", [False, True])
def test_what_a_command_reads_is_not_overwritten(by_link, tmp_path):
    record, place = tmp_path / "record.json", tmp_path / "record.json"
    record.write_text("read")
    if by_link:
        place = tmp_path / "link"
        place.symlink_to(record)
    with pytest.raises(TwinError, match=r"--html .*: this is .*record\.json, which the command reads"):
        write_text(place, "page", "--html", [record])
    assert record.read_text() == "read"


@pytest.mark.parametrize(
    "arguments", [["report", "{}", "--html"], ["report", "{}", "--csv"], ["diff", "{}", "{}", "--md"]]
)
def test_no_command_overwrites_the_record_that_it_reads(arguments, tmp_path):
    record = tmp_path / "record.json"
    text = synthetic.record(1, ("torch",), seeds=1, measures=("check",), troubles=False).to_text()
    record.write_text(text)
    answer = twin(*[argument.format(record) for argument in arguments], str(record), cwd=tmp_path)
    assert answer.returncode == 2
    assert "which the command reads; choose another file" in answer.stderr
    assert record.read_text() == text


def test_json_goes_into_a_substituted_process(tmp_path):
    program = os.fspath(tmp_path / "record.json")
    (tmp_path / "record.json").write_text(
        synthetic.record(1, ("torch",), seeds=1, measures=("check",), troubles=False).to_text()
    )
    from tests.helpers.command import TWIN, environment

    command = " ".join(
        [*TWIN, "diff", program, program, "--json", ">(cat > found.json; echo done > done)", "; sleep 1"]
    )
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(), timeout=60, capture_output=True)
    assert json.loads((tmp_path / "found.json").read_text())["exit_code"] == 0
