"""What a worker writes and what a file of arrays holds, damaged: one kind of error, and no other."""

import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compare.engines import answers
from tests.helpers import mutations
from tests.helpers.attack import mostly_long
from twin import arrays
from twin.bridge import Bridge, Leaf
from twin.errors import TwinError

LEAF = {
    "path": "dense",
    "kind": "Dense",
    "shapes": {"kernel": [3, 2], "bias": [2]},
    "trainable": ["kernel", "bias"],
    "options": {},
}
RESULTS = {
    answers.Hello: {"versions": {"torch": "2"}, "device": "cpu"},
    answers.Built: {"leaves": [LEAF]},
    answers.LayerShapes: {"sizes": {"": ["M", 8], "a": ["L", 8]}, "ran": [["a", [1], [2]]], "outputs": {"y": [2]}},
    answers.Curve: {"curve": [{"loss": 1.0}, {"loss": 0.5}]},
    answers.Warm: {"first_step": 1.0, "second_step": 1.0, "unsteady": ["loop"], "repetitions": {"step": 3}},
    answers.Trained: {
        "losses": {"loss": [1.0]}, "provenance": "made", "rows": 3, "seconds": 1.0, "epoch_seconds": [1.0],
        "value": 0.5,
    },
    answers.Seconds: {"seconds": 1e-3},
    dict: {"anything": [1]},
}  # fmt: skip


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_no_mutation_of_an_answer_gets_through(kind):
    """Refused as malformed, or of the kind that was asked for."""
    sound = {"ok": True, "result": RESULTS[kind]}
    assert answers.parse(json.dumps(sound).encode(), kind).ok
    for seed in range(25 * 8):
        line = mutations.text_of(mutations.of_json(sound, seed)).encode()
        if not seed % 4:
            line = mutations.of_bytes(json.dumps(sound).encode(), seed)
        with contextlib.suppress(answers.Malformed):
            found = answers.parse(line, kind)
            assert isinstance(found, answers.Refusal | answers.Epoch) or isinstance(found.result, kind)


@pytest.mark.parametrize(
    "line", [b"[" * 10**5, b'{"ok":' * 10**5, b"1" + b"0" * 5000, b"\xff\xfe", b"", b"null", b'"x"', b'{"ok": 1e999}']
)
def test_a_line_that_is_no_answer_is_malformed(line):
    with pytest.raises(answers.Malformed):
        answers.parse(line, answers.Hello)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(kind, shape, size):
    return {"x": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}


DAMAGED = {
    "nothing": b"",
    "no header": b"1234567",
    "a header without end": struct.pack("<Q", 2**60) + b"{}",
    "nested": safetensors(b'{"x":' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    "many digits": safetensors(b'{"x":{"dtype":"F32","shape":[1' + b"0" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)),
    "larger than the file": safetensors(entry("F32", [2**40], 2**42), bytes(16)),
    "an overflow": safetensors(entry("F32", [2**40, 2**40], 2**62), bytes(16)),
    "float8": safetensors(entry("F8_E4M3", [4], 4), bytes(4)),
    "float8 of the other kind": safetensors(entry("F8_E5M2", [4], 4), bytes(4)),
    "float4": safetensors(entry("F4", [8], 4), bytes(4)),
    "an unknown type": safetensors(entry("X9", [4], 4), bytes(4)),
    "overlapping": safetensors(entry("F32", [1], 4) | {"y": entry("F32", [1], 4)["x"]}, bytes(4)),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_of_arrays_is_one_line(kind, tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(DAMAGED[kind])
    with pytest.raises(TwinError) as told:
        arrays.read(file)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) < 400


def test_half_precision_is_read_as_it_is(tmp_path):
    (tmp_path / "b").write_bytes(safetensors(entry("BF16", [2], 4), b"\x80\x3f\x00\x40"))
    (tmp_path / "h").write_bytes(safetensors(entry("F16", [2], 4), np.array([1, 2], np.float16).tobytes()))
    for name in "bh":
        assert arrays.read(tmp_path / name)["x"].astype(np.float32).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("part", mostly_long(range(4)))
def test_no_mutation_of_a_file_of_arrays_gets_through(part, tmp_path):
    file = tmp_path / "x.safetensors"
    arrays.write(file, {"a": np.ones((3, 4), np.float32), "b": np.arange(5)})
    sound = file.read_bytes()
    for seed in range(part * 25, part * 25 + 25):
        file.write_bytes(mutations.of_bytes(sound, seed))
        with contextlib.suppress(TwinError):
            assert isinstance(arrays.read(file), dict)


SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@settings(deadline=None, max_examples=100)
@given(SHAPES, st.data())
def test_weights_cross_the_bridge_and_come_back_bit_for_bit(shape, data):
    """Whatever they are, NaN and infinite values included."""
    rows, columns = shape
    keras = [Leaf("dense", "Dense", {"kernel": (rows, columns), "bias": (columns,)}, ("kernel", "bias"), {})]
    torch = [Leaf("dense", "Linear", {"weight": (columns, rows), "bias": (columns,)}, ("weight", "bias"), {})]
    bridge = Bridge(keras, torch)
    floats = st.floats(width=32)
    weights = {
        "dense.weight": data.draw(hnp.arrays(np.float32, (columns, rows), elements=floats)),
        "dense.bias": data.draw(hnp.arrays(np.float32, (columns,), elements=floats)),
    }
    back = bridge.to_torch(bridge.to_keras(weights))
    assert back.keys() == weights.keys()
    for name, array in weights.items():
        assert back[name].tobytes() == np.ascontiguousarray(array).tobytes()
