"""Pictures in folders and in tables: what was written comes back, and what is damaged is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.loaders import RANDOM, break_file, refusal
from twin import data
from twin.data import folders, tables

PICTURES = RANDOM.integers(0, 256, (6, 5, 4)).astype(np.uint8)


LABELS = np.array([1, 0, 1, 0, 1, 1])


@pytest.fixture
def root(tmp_path):
    folders.write(tmp_path / "pictures", PICTURES, LABELS, ("cat", "dog"))
    return tmp_path / "pictures"


def test_a_folder_gives_back_what_was_written_in_the_order_of_names(root):
    folder = folders.scan(root)
    assert folder.classes == ["cat", "dog"]
    assert folder.labels.tolist() == [0, 0, 1, 1, 1, 1]
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(np.stack([folders.read(path) for path in folder.files])[..., 0], PICTURES[order])
    assert [path.name for path in root.parent.iterdir()] == ["pictures"]


def test_a_folder_is_a_data_set(root):
    dataset = data.load("folders", {"root": str(root), "size": 8, "test_share": 0.5})
    assert dataset.train["x"].shape == (3, 8, 8, 1)
    assert sorted([*dataset.train["y"], *dataset.test["y"]]) == [0, 0, 1, 1, 1, 1]
    assert 0 <= dataset.train["x"].min() < dataset.train["x"].max() <= 1


def save(path: Path, mode: str) -> None:
    Image.new(mode, (4, 5)).save(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: [path.unlink() for path in (root / "cat").iterdir()], "cat: has no pictures; expected files"),
        (lambda root: (root / "dog").rename(root.parent / "dog"), "has one folder, cat; expected at least two"),
        (lambda root: [(root / n).rename(root.parent / n) for n in ("cat", "dog")], "has no folders"),
        (lambda root: root.rename(root.parent / "other"), "no such folder"),
        (lambda root: (root / "dog" / "a.png").write_bytes(b"not a picture"), "a.png: cannot be read as a picture"),
        (lambda root: (root / "dog" / "a.png").write_bytes(b""), "a.png: cannot be read as a picture"),
        (lambda root: break_file(root / "dog" / "00004.png"), "00004.png: cannot be read as a picture"),
        (lambda root: save(root / "dog" / "a.png", "I;16"), "a.png: has 16 or more bits a pixel (mode I;16); expected"),
        (lambda root: save(root / "dog" / "a.png", "RGB"), "a.png: is colour, but"),
        (lambda root: save(root / "dog" / "a.png", "RGBA"), "a.png: is neither grey nor colour (mode RGBA); expected"),
    ],
    ids=["empty", "one class", "none", "missing", "text", "no bytes", "cut", "16 bits", "mixed", "transparent"],
)
def test_a_folder_refuses(root, spoil, words):
    spoil(root)
    message = refusal(folders.scan, root)
    assert words in message
    assert str(root) in message


def test_a_picture_that_is_cut_off_is_refused_when_it_is_read(root):
    noise = RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(root / "dog" / "a.jpg")  # whose header says nothing of its end
    break_file(root / "dog" / "a.jpg")
    assert "a.jpg: cannot be read as a picture" in refusal(folders.read, root / "dog" / "a.jpg")


def test_a_folder_that_cannot_be_finished_is_not_begun(root):
    with pytest.raises(IndexError):
        folders.write(root.parent / "new", PICTURES, np.array([0, 1, 0, 7, 0, 0]), ("cat", "dog"))
    assert [path.name for path in root.parent.iterdir()] == ["pictures"]
    assert "exists already" in refusal(folders.write, root, PICTURES, LABELS, ("cat", "dog"))
    assert len(folders.scan(root).files) == 6


def test_a_table_gives_back_what_was_written(tmp_path):
    pixels = RANDOM.integers(0, 256, (7, 16)).astype(np.uint8)
    labels = np.arange(7)
    tables.write(tmp_path / "table.csv", labels, pixels)
    assert (tmp_path / "table.csv").read_text().startswith("label,pixel0,pixel1,")
    found, again = tables.read(tmp_path / "table.csv")
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(again, pixels)
    dataset = data.load("tables", {"file": str(tmp_path / "table.csv"), "test_share": 0.4})
    assert dataset.train["x"].shape == (4, 4, 4, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


HEADER = "label,pixel0,pixel1\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "3,0,255\n,1,2\n", "line 3: label is missing; expected a whole number from 0 to 9"),
        (HEADER + "10,1,2\n", "line 2: label is '10'; expected a whole number from 0 to 9"),
        (HEADER + "1,1,2\n1,1,256\n", "line 3: pixel1 is '256'; expected a whole number from 0 to 255"),
        (HEADER + "1,-1,2\n", "line 2: pixel0 is '-1'; expected a whole number"),
        (HEADER + "1,0.5,2\n", "line 2: pixel0 is '0.5'; expected a whole number"),
        (HEADER + "1,1, \n", "line 2: pixel1 is missing; expected a whole number"),
        (HEADER + "cat,1,2\n", "line 2: label is 'cat'; expected a whole number"),
        (HEADER + "1,1\n", "line 2: has 2 values; expected 3, as the header says"),
        (HEADER + "1,1,1\n\n", "line 3: has 0 values; expected 3"),
        (HEADER, "has no line after its header"),
        ("", "line 1: has 0 columns; expected a header label,pixel0"),
        ("pixel0,pixel1\n1,2\n", "line 1: column 1 is 'pixel0'; expected 'label'"),
        ("label,pixel1,pixel0\n1,2,3\n", "line 1: column 2 is 'pixel1'; expected 'pixel0'"),
    ],
)
def test_a_table_refuses(tmp_path, text, words):
    path = tmp_path / "table.csv"
    path.write_text(text)
    message = refusal(tables.read, path)
    assert words in message
    assert str(path) in message


def test_a_table_that_is_missing_or_no_text_is_refused(tmp_path):
    assert "cannot read" in refusal(tables.read, tmp_path / "none.csv")
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot read" in refusal(tables.read, tmp_path / "table.csv")


def test_a_table_of_pictures_that_are_not_square_is_refused(tmp_path):
    tables.write(tmp_path / "table.csv", np.zeros(3), np.zeros((3, 15), np.uint8))
    assert "has 15 pixels a row; expected a square number" in refusal(tables.load, str(tmp_path / "table.csv"))


def test_a_table_that_cannot_be_finished_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    tables.write(path, np.zeros(2), np.zeros((2, 4), np.uint8))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="argument 2"):
        tables.write(path, np.zeros(1), np.ones((2, 4), np.uint8))
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]
