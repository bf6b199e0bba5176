"""What stands behind an option is read, or refused in one line."""

import re

import pytest

from compare.cli.arguments import seconds, seeds, share
from tests.helpers.command import twin
from twin.errors import TwinError


@pytest.mark.parametrize(
    ("first", "text", "expected"),
    [(None, "1", [0]), (7, "1", [7]), (7, "3", [7, 8, 9]), (None, "3,5,8", [3, 5, 8]), (None, " 8, 3 ", [8, 3])],
)
def test_seeds_are_a_number_or_a_list(first, text, expected):
    assert seeds(first, text) == expected


@pytest.mark.parametrize(
    ("first", "text", "says"),
    [
        (None, "0", "--seeds 0: expected 1 to 1000 seeds"),
        (None, "1001", "expected 1 to 1000 seeds"),
        (None, "-3", "--seeds '-3': expected a number of seeds"),
        (None, "2.5", "--seeds '2.5': expected a number of seeds"),
        (None, "", "--seeds '': expected a number of seeds"),
        (None, "3,", "--seeds '3,': expected a number of seeds"),
        (None, "²", "expected a number of seeds"),
        (None, "3,5,5", "--seeds 3,5,5: 5 is named twice"),
        (0, "3,5", "--seed 0 and --seeds 3,5 clash"),
        (2**32 - 1, "2", "seed 4294967296 is too large"),
    ],
)
def test_seeds_that_clash_or_are_none_are_refused_in_one_line(first, text, says):
    with pytest.raises(TwinError, match=re.escape(says)) as refused:
        seeds(first, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "mlp", "--seeds", "3,5,5"], "5 is named twice"),
        (["compare", "mlp", "--seed", "0", "--seeds", "3,5"], "clash"),
        (["train", "mlp", "--log", "mlflow"], "--log"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, tmp_path):
    answer = twin(*arguments, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "found"), [("90s", 90), ("10m", 600), ("1h", 3600), ("5", 5), ("0.5m", 30)], ids=lambda value: str(value)
)
def test_a_length_of_time(text, found):
    assert seconds("--budget", text) == found


@pytest.mark.parametrize("text", ["0", "0m", "-3s", "m", "", "ten", "inf", "nan"])
def test_a_length_of_time_that_is_none_is_refused(text):
    with pytest.raises(TwinError, match=r"--budget .*expected a length of time"):
        seconds("--budget", text)


def test_a_share():
    assert share("--precision", "2%") == share("--precision", "0.02") == 0.02
    for text in ("0", "0%", "100%", "-1%", "two", "nan"):
        with pytest.raises(TwinError, match=r"--precision .*expected a share"):
            share("--precision", text)
