"""What must not outlive a process ends with it, even where somebody has ended the shell that sees to it."""

import os
import subprocess

import pytest

from compare.engines.guard import Guard


@pytest.mark.parametrize("killed", [False, True])
def test_the_end_takes_process_groups_and_files_along(killed):
    guard = Guard()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as leader:
        (guard.groups / str(leader.pid)).touch()
        (guard.home / "file").touch()
        if killed:
            guard.shell.kill()
        guard.end()
        assert leader.wait(10) != 0
    assert not guard.home.exists()


@pytest.mark.parametrize(("owner", "goes"), [(os.getpid(), True), (1, False)], ids=["own", "of another"])
def test_a_lock_goes_unless_another_process_has_taken_it(owner, goes, tmp_path):
    lock, record, part = tmp_path / ".a b.json.lock", tmp_path / "a b.json", tmp_path / f".a b.json.{os.getpid()}"
    lock.write_text(f"process {owner} on this machine\n")
    record.touch()
    part.touch()
    guard = Guard()
    (guard.home / "locks" / "0").symlink_to(lock)
    guard.end()
    assert sorted(tmp_path.iterdir()) == ([record] if goes else sorted([lock, record, part]))
