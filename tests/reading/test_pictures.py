"""`twin pictures` draws what an exercise shows."""

import subprocess

import pytest

from tests.helpers.command import TWIN, environment

pytestmark = pytest.mark.framework


def test_pictures_command(tmp_path):
    command = [*TWIN, "pictures", "edge_filters", "--engine", "torch", "--out", "drawn"]
    env = environment()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert len(files) == 7
    assert all((tmp_path / "drawn" / file).read_bytes().startswith(b"\x89PNG") for file in files)
    assert done.stdout.splitlines()[-1] == "7 pictures in drawn"
    from matplotlib.image import imread

    canny = imread(tmp_path / "drawn" / "edge_filters_canny.png")
    assert canny[..., :3].max() == 1
    assert canny[..., :3].min() == 0


@pytest.mark.parametrize(("name", "status"), [("tensors", 2), ("lenet", 2)])
def test_a_twin_without_pictures_is_one_clear_line(tmp_path, name, status):
    command = [*TWIN, "pictures", name, "--engine", "torch"]
    env = environment()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=env)
    assert done.returncode == status
    assert done.stderr.strip() == (
        f"twin: {name} draws no pictures: an exercise does by outputs named picture_...; try feature_maps"
    )
