"""Data sets that a user copied: cut off, empty, swollen or endless; one line each, before anything is trained on."""

import gzip
import os
import struct
import zlib

import numpy as np
import pytest

from tests.helpers.loaders import refusal
from tests.twin.test_loaders import cifar_archive, idx_bytes
from twin import untrusted
from twin.data import cifar10, folders, idx, tables


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 100, 0.5])
def test_a_gzip_that_is_cut_anywhere_is_refused(cut, tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    cifar_archive(path)
    content = path.read_bytes()
    assert cifar10._unpacked(path)
    path.write_bytes(content[: int(-cut if cut >= 1 else len(content) * cut)])
    assert "cannot be read" in refusal(cifar10._unpacked, path)


def test_a_gzip_whose_checksum_is_wrong_is_refused(tmp_path):
    path = tmp_path / "file"
    content = bytearray(gzip.compress(idx_bytes(np.ones((2, 3), np.uint8))))
    content[-7] ^= 1
    path.write_bytes(content)
    assert "CRC" in refusal(idx.read, path)


def test_a_gzip_that_holds_more_than_any_data_set_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "MOST_UNPACKED", 2**20)
    (tmp_path / "file").write_bytes(gzip.compress(bytes(2**20 + 1)))
    for read in (idx.read, cifar10._unpacked):
        assert "holds more than 1 MiB" in refusal(read, tmp_path / "file")


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (5, 0, 0)], ids=str)
def test_sizes_of_zero_are_refused(shape, tmp_path):
    (tmp_path / "file").write_bytes(idx_bytes(np.zeros(shape, np.uint8)))
    assert "which holds nothing" in refusal(idx.read, tmp_path / "file")


ROW = "label,pixel0\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{ROW}{'9' * 5000},3\n", "label is '999"),
        (f"{ROW}1,{'9' * 5000}\n", "pixel0 is '999"),
        (f"{ROW}1,-{'0' * 5000}1\n", "pixel0 is '-000"),
        (f"{ROW}1,{'9' * 200_000}\n", "cannot be read as a table"),
        (f"{ROW}1,\x00\n", "line 2"),
        (f"{ROW}1,²\n", "pixel0 is '²'"),
        ("label,pixel0", "has no line after its header"),
        ("\n", "line 1"),
        (b"\xff\xfe", "no text in UTF-8"),
    ],
    ids=["label", "pixel", "negative", "cell", "nul", "superscript", "header", "no header", "utf-16"],
)
def test_a_table_of_strange_numbers_is_one_line(content, words, tmp_path):
    (tmp_path / "x.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(tables.read, tmp_path / "x.csv")
    assert words in message
    assert len(message) < 300


def test_a_number_with_leading_zeros_is_read(tmp_path):
    (tmp_path / "x.csv").write_text(f"{ROW}1,{'0' * 4000}7\n")
    assert tables.read(tmp_path / "x.csv")[1].tolist() == [[7]]


def picture(width, height):
    chunks = (
        (b"IHDR", struct.pack(">II", width, height) + b"\x08\x00\x00\x00\x00"),
        (b"IDAT", zlib.compress(bytes(10))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


DAMAGED = {
    "60,000 pixels a side": picture(60_000, 60_000),
    "10,000 pixels a side": picture(10_000, 10_000),
    "no pixels": picture(0, 0),
    "fewer pixels than it says": picture(100, 100),
    "nothing": b"",
    "a header alone": b"\x89PNG\r\n\x1a\n",
    "a bitmap of no size": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHH", 40, 0, 0, 1, 24),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_picture_that_is_none_is_one_line(kind, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(DAMAGED[kind])
    message = refusal(folders.load, str(tmp_path), 8)
    assert "x.png: cannot be read as a picture" in message


def test_a_named_pipe_among_the_pictures_is_not_waited_for(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        os.mkfifo(tmp_path / name / "x.png")
    assert "is no file; expected a picture" in refusal(folders.scan, tmp_path)
