"""Files of weights that are small and unpack to more than any machine has: refused before they are unpacked."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from compare.worker.unpacked import refuse_larger
from twin.data import folders
from twin.errors import TwinError

MODEL = {"kernel": np.zeros((30, 20), np.float32), "bias": np.zeros(20, np.float32)}
h5py = pytest.importorskip("h5py")


def sets(rows, **options):
    """An HDF5 file whose only data set has so many rows, nearly none of which are written."""
    file = io.BytesIO()
    with h5py.File(file, "w") as group:
        group.create_dataset("layers/dense/vars/0", (rows, 1024), "f4", chunks=(1, 1024), **options)
    return file.getvalue()


def archived(name, content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, content)
    return file.getvalue()


BOMBS = {
    "x.weights.h5": lambda: sets(2**22, compression="gzip"),
    "x.h5": lambda: sets(2**22),
    "x.keras": lambda: archived("model.weights.h5", sets(2**22, compression="gzip"), zipfile.ZIP_STORED),
    "deflated.keras": lambda: archived("model.weights.h5", bytes(100 * 2**20)),
    "twice.keras": lambda: archived("model.weights.h5", sets(2**22, compression="gzip")),
    "x.pt": lambda: archived("archive/data/0", bytes(100 * 2**20)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_far_more_than_the_model_is_refused(name, tmp_path):
    file = tmp_path / name
    file.write_bytes(BOMBS[name]())
    assert file.stat().st_size < 200_000
    with pytest.raises(TwinError, match=r"--weights .*unpacks to .* bytes, and the model's arrays have 2,480"):
        refuse_larger(str(file), MODEL, "--weights ")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", archived("data", b"x")[:-10], sets(1), archived("d", bytes(9999))],
    ids=["empty", "no archive", "cut off", "sets", "zeros"],  # an archive holds the time, and is no name
)
def test_what_is_no_larger_is_left_to_its_reader(content, tmp_path):
    (tmp_path / "x.pt").write_bytes(content)
    refuse_larger(str(tmp_path / "x.pt"), MODEL)


def test_a_picture_that_is_declared_too_large_is_one_line(tmp_path):
    """A few bytes that say that they are 60,000 by 60,000 pixels."""
    size = struct.pack(">II", 60_000, 60_000)
    chunks = ((b"IHDR", size + b"\x08\x00\x00\x00\x00"), (b"IDAT", zlib.compress(bytes(10))), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(png)
    with pytest.raises(TwinError, match="cannot be read as a picture"):
        folders.scan(tmp_path)
