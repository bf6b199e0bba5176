"""A table of attacks that fit no other file: what is typed, the exit code, and a part of the line that answers."""

import subprocess

import pytest

from tests.helpers.attack import CHECK, FAKE, fake, left_of, mostly_long, surroundings

TABLE = [
    ("mkdir gone; cd gone; rmdir ../gone; twin list", 2, "the working folder is gone"),
    ("twin report good.json --html runs", 2, "Is a directory"),
    ("twin report good.json --html ''", 2, "the value of --html is empty"),
    ("twin site ''", 2, "an argument is empty"),
    ("twin report good.json --html page/", 2, "Is a directory"),
    ("twin report good.json --md same --csv same", 2, "a file takes one of them"),
    (
        "twin check tensors pooling why_deep --engine torch --resume good.json --json good.json",
        2,
        "which the command reads",
    ),
    ("n=$(printf 'a%.0s' $(seq 250)).html; twin report good.json --html $n && test -s $n", 0, ""),
    ("sed 's/\"status\":\"ok\",\"reason/\"status\":\"failed\",\"reason/' good.json > x; twin report x", 2, "no rung"),
    ("ulimit -v 300000; twin check tensors --engine torch", 3, "ulimit -v leaves 292 MiB of memory"),
    (
        "echo keep > mine; ln -s mine .good.json.lock; twin check tensors pooling why_deep --engine torch "
        "--resume good.json; code=$?; grep -q keep mine && exit $code",
        2,
        "is a symbolic link",
    ),
    ("_TWIN_COMPLETE=complete_bash twin list", 2, "unset it"),
    ("twin verify a.py:x b.py:y --input 3", 2, "no file a.py"),
    ("twin verify a.py:x b.py:y --input 3,,4", 2, "expected a shape"),
    ("twin verify a.py:x b.py:y --input 3 --kwargs $(printf '[%.0s' $(seq 60000))", 2, "nested too deep"),
    (": > a.pt; twin weights lenet --from a.pt --to a.pt --force", 2, "which the command reads"),
    ("twin check tensors --engine torch --timeout 5s", 2, "--timeout 5s: expected a valid number"),
    ("twin check tensors --engine torch --jobs 4097", 2, "--jobs 4097: expected a number less than or equal to 4096"),
    ("twin report good.json --md loop", 2, "symbolic links"),
    ("twin report loop", 2, "symbolic links"),
    ("twin check tensors --engine torch --out good.json", 2, "cannot write"),
    ("twin check tensors --engine torch --resume runs", 2, "Is a directory"),
    ("twin check tensors --engine torch --resume /dev/null", 2, "expected a record's file"),
    ("twin check tensors --engine torch --resume good.json", 2, "is in it and not in this run"),
    ("(cat good.json; echo more) > x; twin report x", 2, "is no record"),
    ("gzip -c good.json > x; twin report x", 2, "no text in UTF-8"),
    ("(printf '\\357\\273\\277'; cat good.json) > x; twin report x", 0, ""),
    ("cat good.json | twin report /dev/stdin", 0, ""),
    (
        "cat good.json | twin check tensors pooling why_deep --engine torch --resume /dev/stdin",
        2,
        "--resume /dev/stdin: expected a record's file",
    ),
    ("mkfifo x; twin check tensors pooling why_deep --engine torch --resume x", 2, "expected a record's file"),
    ("twin check tensors --engine torch --out new --json new", 2, "Is a directory; choose a file with --json"),
    ("twin bench lenet --engine torch --reference nope", 2, "unknown engine 'nope'"),
    ("twin site good.json", 2, "FOLDER good.json: File exists"),
    ("twin differences nope_x", 2, " more"),
    ("_TWIN_COMPLETE=nonsense twin list", 2, "_TWIN_COMPLETE=nonsense: expected what a shell sets"),
    ("PYTHONINSPECT=1 twin list", 0, ""),
    ("SOURCE_DATE_EPOCH=x twin report good.json --html page.html", 0, ""),
    ("NUMPY_MADVISE_HUGEPAGE=x twin list", 0, ""),
    ("sed 's/: 0.0}/: 1e308}/' good.json > x; twin report x --html page.html", 0, ""),
    ("echo '{}' > lenet.ipynb; twin notebook lenet", 2, "lenet.ipynb is there and was changed; --force"),
    ("twin notebook lenet && twin notebook lenet && echo x >> lenet.ipynb && twin notebook lenet --force", 0, ""),
    ("twin report good.json --csv - --md -", 2, "stdout takes one of them"),
    ("twin report nope-%s-%d.json", 2, "nope-%s-%d.json"),
    (": > a.py; : > b.py; twin verify a.py:x b.py:y --data good.json", 2, "--data cannot read good.json"),
    ("sed 's/\"rel_l2\":[^,]*/\"rel_l2\": -1/' good.json > x; twin report x", 2, "a distance that is not negative"),
    ("twin path --in good.json", 2, "this is no folder"),
    ("twin path --in loop", 2, "this is no folder"),
    ("twin check ../../etc/passwd", 2, "unknown twin"),
    ("twin check tensors --python torch=/tmp", 2, "no program"),
    ("twin weights lenet --from good.json --to x.pt", 2, "expected a file that ends in"),
    ("env -i PATH=\"$PATH\" PYTHONPATH=\"$PYTHONPATH\" twin check tensors --engine torch", 0, ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "says"), mostly_long(TABLE, 2))
def test_an_attack_is_answered(line, code, says, tmp_path):
    assert fake(tmp_path, *CHECK).returncode == 0
    (record,) = (tmp_path / "runs").iterdir()
    (tmp_path / "good.json").write_text(record.read_text())
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    answer = subprocess.run(
        ["bash", "-c", line.replace("twin ", f"{' '.join(FAKE)} ")],
        cwd=tmp_path,
        env=surroundings(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == code, answer.stderr
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr) < 1000
    assert code == 0 or len(answer.stderr.strip().splitlines()) == 1
    assert left_of(tmp_path) == []
