"""What tests of the data sets share."""

from pathlib import Path

import numpy as np
import pytest

from twin.errors import TwinError

RANDOM = np.random.default_rng(0)


def refusal(function, *arguments, **options) -> str:
    with pytest.raises(TwinError) as found:
        function(*arguments, **options)
    message = str(found.value)
    assert "\n" not in message
    return message


def break_file(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
