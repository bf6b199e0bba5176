"""Data sets and array files."""

import numpy as np
import pytest

from twin import arrays
from twin.data import connectome, motions, pronunciations, vowels
from twin.errors import TwinError


def test_a_damaged_array_file_is_one_clear_line(tmp_path):
    arrays.write(tmp_path / "good", {"x": np.arange(6.0).reshape(2, 3)})
    assert np.array_equal(arrays.read(tmp_path / "good")["x"], np.arange(6.0).reshape(2, 3))
    (tmp_path / "bad").write_bytes((tmp_path / "good").read_bytes()[:20])
    with pytest.raises(TwinError, match=r"cannot read .*bad"):
        arrays.read(tmp_path / "bad")
    with pytest.raises(TwinError, match="no file"):
        arrays.read(tmp_path / "none")
    with pytest.raises(TwinError, match="cannot write"):
        arrays.write(tmp_path / "no" / "where", {})


@pytest.mark.parametrize("module", [connectome, motions, pronunciations, vowels])
@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: content[:-1] + b"!", None])
def test_a_damaged_data_file_is_one_clear_line(damage, module, tmp_path):
    copy = tmp_path / module.FILE.name
    if damage:
        copy.write_bytes(damage(module.FILE.read_bytes()))
    with pytest.raises(TwinError, match=rf"{module.FILE.name}.*reinstall twin-suite"):
        module.read(copy)
