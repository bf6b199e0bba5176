"""The loaders read what is right, and refuse what is not in one line that names the file, the value and what to do."""

import gzip
import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.loaders import RANDOM, break_file, refusal
from twin import data
from twin.data import cifar10, fashion_mnist, idx, mnist

# IDX


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 2)], ids=str)
def test_idx_reads_what_was_written(tmp_path, shape, packed):
    array = RANDOM.integers(0, 256, shape).astype(np.uint8)
    content = idx_bytes(array)
    (tmp_path / "file").write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(idx.read(tmp_path / "file"), array)


GOOD = idx_bytes(np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with"),
        (b"\x89PNG and more", "begins with 89 50 4e 47"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "begins with 00 00 0d 01"),  # floats
        (GOOD[:7], "ends within its header, after 7 of 12 bytes"),
        (GOOD[:-1], "has 5 values, but says (2, 3)"),
        (GOOD + b"\0", "has 7 values, but says (2, 3)"),
        (gzip.compress(GOOD)[:-9], "cannot be read"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 20, "cannot be read"),
    ],
    ids=["empty", "png", "floats", "header", "short", "long", "cut gzip", "damaged gzip"],
)
def test_idx_refuses(tmp_path, content, words):
    (tmp_path / "file").write_bytes(content)
    message = refusal(idx.read, tmp_path / "file")
    assert words in message
    assert str(tmp_path / "file") in message


# MNIST and Fashion-MNIST


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Small files under their published names, in a folder that TWIN_DATA names, and nothing installed."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for part, rows in (("train", 30), ("t10k", 20)):
        pictures = RANDOM.integers(0, 256, (rows, 28, 28)).astype(np.uint8)
        labels = np.arange(rows, dtype=np.uint8) % 10
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pictures)))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    folder.with_name("fashion_mnist").symlink_to(folder)
    monkeypatch.setenv("TWIN_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(fashion_mnist, "SOURCE", replace(fashion_mnist.SOURCE, installed=str(tmp_path / "nowhere")))
    return folder


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_pictures_and_labels_from_the_users_folder(given, name):
    dataset = data.load(name)
    assert dataset.provenance.startswith("real, copied by the user to ")
    assert "30 to train and 20 to test" in dataset.provenance
    first = idx.read(given / "train-images-idx3-ubyte.gz")[0]
    np.testing.assert_allclose(dataset.train["x"][0, ..., 0], first / 255, rtol=1e-6)
    np.testing.assert_array_equal(dataset.test["y"], np.arange(20) % 10)
    assert (dataset.train["x"].dtype, dataset.train["y"].dtype) == (np.float32, np.int32)


def test_files_that_the_user_unpacked_are_found(given):
    for path in list(given.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert mnist.load().train["x"].shape == (30, 28, 28, 1)


def test_a_subset_is_chosen_by_the_seed_and_pictures_keep_their_labels(given):
    everything, some = mnist.load(), mnist.load(train_count=12, test_count=7)
    assert (len(some.train["y"]), len(some.test["x"])) == (12, 7)
    again, other = mnist.load(train_count=12), mnist.load(train_count=12, seed=1)
    np.testing.assert_array_equal(again.train["x"], some.train["x"])
    assert not np.array_equal(other.train["x"], some.train["x"])
    for picture, label in zip(some.train["x"], some.train["y"], strict=True):
        row = np.flatnonzero((everything.train["x"] == picture).all((1, 2, 3)))
        assert everything.train["y"][row].tolist() == [label]


@pytest.mark.parametrize("size", [14, 28, 32])
def test_pictures_are_resized_and_keep_their_brightness(given, size):
    x = mnist.load(size=size).train["x"]
    assert x.shape == (30, size, size, 1)
    assert x.dtype == np.float32
    assert x.mean() == pytest.approx(mnist.load().train["x"].mean(), abs=0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_count": 31}, "train_count must be from 1 to 30, the number of rows; received 31"),
        ({"test_count": 0}, "test_count must be from 1 to 20, the number of rows; received 0"),
        ({"size": 0}, "size must be at least 1; received 0"),
    ],
)
def test_impossible_options_are_refused(given, options, words):
    assert words in refusal(mnist.load, **options)


def test_files_that_do_not_belong_together_are_refused(given):
    path = given / "train-labels-idx1-ubyte.gz"
    path.write_bytes(idx_bytes(np.zeros(29, np.uint8)))
    assert "has 30 pictures, but" in refusal(mnist.load)
    path.write_bytes(idx_bytes(np.arange(30, dtype=np.uint8)))
    assert "label 10 is 10; expected 0 to 9" in refusal(mnist.load)
    path.write_bytes(idx_bytes(np.zeros((30, 1), np.uint8)))
    assert "3 and 2 axes" in refusal(mnist.load)


def test_without_files_the_ways_to_get_them_are_named(given, monkeypatch):
    (given / "train-labels-idx1-ubyte.gz").unlink()
    message = refusal(fashion_mnist.load)
    for word in ("dataset-fashion-mnist", "TWIN_DATA", "download=True", "train-labels-idx1-ubyte.gz"):
        assert word in message
    assert "package" not in refusal(mnist.load)  # MNIST has none


def test_an_installed_package_is_found_without_any_setting(given, monkeypatch):
    monkeypatch.delenv("TWIN_DATA")
    monkeypatch.setattr(fashion_mnist, "SOURCE", replace(fashion_mnist.SOURCE, installed=str(given)))
    assert fashion_mnist.load().provenance.startswith("real, shipped in the package dataset-fashion-mnist")


INSTALLED = Path("/usr/share/datasets/fashion-mnist").is_dir()


@pytest.mark.skipif(not INSTALLED, reason="the package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist():
    dataset = fashion_mnist.load(train_count=2000, test_count=1000)
    counts = np.bincount(dataset.train["y"], minlength=10)
    assert counts.sum() == 2000
    assert counts.min() > 150  # 6,000 of each of the ten in 60,000
    means = np.stack([dataset.train["x"][dataset.train["y"] == label].mean(0) for label in range(10)])
    gaps = ((dataset.test["x"][:, None] - means) ** 2).sum((2, 3, 4))
    assert (gaps.argmin(1) == dataset.test["y"]).mean() > 0.6  # the nearest mean picture is often the right class


# CIFAR-10


def cifar_archive(path: Path, change=lambda files: files) -> None:
    rows = RANDOM.integers(0, 256, (60, cifar10.ROW)).astype(np.uint8)
    rows[:, 0] = np.arange(60) % 10
    names = [*cifar10.TRAIN, *cifar10.TEST]
    files = change({name: rows[10 * i : 10 * i + 10].tobytes() for i, name in enumerate(names)})
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**files, "batches.meta.txt": b"airplane"}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def cifar_path(tmp_path, monkeypatch):
    monkeypatch.setenv("TWIN_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    return tmp_path / "cifar10" / "cifar-10-binary.tar.gz"


def test_cifar_10_is_read_from_its_archive_which_stays_as_it_is(cifar_path):
    cifar_archive(cifar_path)
    dataset = cifar10.load()
    assert dataset.train["x"].shape == (50, 32, 32, 3)
    assert dataset.test["x"].shape == (10, 32, 32, 3)
    with tarfile.open(cifar_path) as archive:
        row = archive.extractfile("cifar-10-batches-bin/data_batch_2.bin").read()[: cifar10.ROW]
    assert dataset.train["y"][10] == row[0]
    top_left = [row[1], row[1 + 1024], row[1 + 2048]]  # red, green and blue of the first pixel
    np.testing.assert_allclose(dataset.train["x"][10, 0, 0] * 255, top_left, rtol=1e-5)
    assert list(cifar_path.parent.iterdir()) == [cifar_path]
    assert cifar10.load(size=16, test_count=4).test["x"].shape == (4, 16, 16, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda files: files | {"data_batch_3.bin": files["data_batch_3.bin"][:-1]},
            "data_batch_3.bin has 30729 bytes",
        ),
        (lambda files: {n: c for n, c in files.items() if n != "test_batch.bin"}, "has no test_batch.bin"),
        (
            lambda files: files | {"test_batch.bin": b"\x0b" + files["test_batch.bin"][1:]},
            "has label 11; expected 0 to 9",
        ),
    ],
    ids=["short", "missing", "label"],
)
def test_cifar_10_refuses(cifar_path, change, words):
    cifar_archive(cifar_path, change)
    assert words in refusal(cifar10.load)


def test_cifar_10_refuses_what_is_no_archive_or_cut_off(cifar_path):
    cifar_path.write_bytes(b"\x80\x04\x95 a pickle")
    assert "cannot be read" in refusal(cifar10.load)
    cifar_archive(cifar_path)
    break_file(cifar_path)
    assert "cannot be read" in refusal(cifar10.load)


# Options of the data sets of chapter 4


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("faces", {"size": 26}, "size must be from 1 to 25, because the pictures are 25x25; received 26"),
        ("faces", {"train_count": 200}, "train_count must be from 1 to 199, of 200 pictures; received 200"),
        ("photographs", {"count": 2, "height": 107, "width": 20}, "must be at most 106, 160; received 107, 20"),
    ],
)
def test_pictures_that_do_not_exist_are_refused(name, options, words):
    assert words in refusal(data.load, name, options)


def test_faces_and_textures_are_what_they_say():
    faces = data.load("faces", {"train_count": 40})
    assert (len(faces.train["y"]), len(faces.test["y"])) == (40, 160)
    assert faces.train["y"].sum() + faces.test["y"].sum() == 100
    textures = data.load("textures", {"count": 3, "test_count": 2})
    assert textures.train["x"].shape == (24, 24, 24, 1)
    assert np.bincount(textures.test["y"]).tolist() == [2] * 8
