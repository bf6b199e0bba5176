"""Faults planted into what a file computes are found and named; the files here are functions of NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest

from compare.export import faults
from compare.export.examine import Source, rounded
from compare.export.model import ordered
from twin.catalogue import TWINS
from twin.native import from_native, to_native

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((6 * 5 * 3, 4)).astype(np.float32) / 9
LAST = RNG.standard_normal((4, 4)).astype(np.float32)
PICTURES = RNG.standard_normal((16, 6, 5, 3)).astype(np.float32)


def network(x, kernel=KERNEL, last=LAST, activation=np.tanh):
    """Pictures (B, 6, 5, 3) to an output (B, 4)."""
    if x.shape[1:] != (6, 5, 3):
        raise ValueError(f"invalid dimensions {x.shape}")
    return {"y": activation(np.tanh(x.reshape(len(x), -1) @ kernel) @ last)}


def channels_first(x):
    if x.shape[1:] != (3, 6, 5):
        raise ValueError(f"invalid dimensions {x.shape}")
    return network(np.moveaxis(x, 1, -1))


def one_row(x):
    if len(x) != 1:
        raise ValueError("expected 1 row")
    return network(x)


def truncated(x):
    return {"y": network(x)["y"][:1]}


def other_model(x):
    return network(x, RNG.standard_normal(KERNEL.shape).astype(np.float32))


DEFECTS = {
    "height and width swapped": (lambda x: network(np.swapaxes(x, 1, 2).reshape(x.shape)), None),
    "channels first": (channels_first, "wrong layout: the file takes its channels first"),
    "reversed": (
        lambda x: network(x[..., ::-1]),
        "wrong layout: the file takes the channels in the other order",
    ),
    "lost activation": (lambda x: network(x, activation=lambda a: a), "lost activation: after tanh"),
    "an activation too many": (lambda x: {"y": np.tanh(network(x)["y"])}, "an activation too many"),
    "float16": (lambda x: network(x, rounded(KERNEL, "float16"), rounded(LAST, "float16")), "rounded to float16"),
    "bfloat16": (lambda x: network(x, rounded(KERNEL, "bfloat16"), rounded(LAST, "bfloat16")), "rounded to bfloat16"),
    "one row only": (one_row, "frozen batch: the file takes 1 row and no 16"),
    "one row comes out": (truncated, "frozen batch: 1 rows come out where 16 go in"),
    "many rows": (
        lambda x: network(x[::-1] if len(x) == 16 else x),
        "for 16 rows; for 1 row the file answers as the model",
    ),
    "another model": (other_model, "has other weights, or is of another model"),
    "another shape": (lambda x: {"y": network(x)["y"][:, :3]}, "the file is of another model"),
    "an epsilon": (lambda x: {"y": network(x)["y"] * np.float32(1.001)}, "relative L2 1.0e-03 from the model"),
}


def found(file):
    """What is said of a file that is this function."""
    inputs, wanted = {"x": PICTURES}, network(PICTURES)
    run = lambda given: faults.named(file(given["x"]), wanted, ["y"])
    kinds = {
        kind: lambda kind=kind: network(PICTURES, rounded(KERNEL, kind), rounded(LAST, kind))
        for kind in ("float16", "bfloat16")
    }
    try:
        got = run(inputs)
    except ValueError as error:
        return faults.of_refusal(run, inputs, wanted, str(error), 16)
    return faults.of_outputs(run, inputs, got, wanted, kinds) if faults.far(got, wanted) > faults.LIMIT else ""


def test_a_file_that_is_wrong_for_another_row_than_the_first_is_not_told_as_wrong_for_many_rows():
    def wrong(x):
        of_the_last = np.array([np.array_equal(row, PICTURES[-1]) for row in x])
        return {"y": network(x)["y"] * np.where(of_the_last, np.float32(1.01), np.float32(1))[:, None]}

    assert found(wrong).startswith("relative L2")


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_fault_is_found_and_named(defect):
    file, words = DEFECTS[defect]
    assert found(file)
    assert words is None or words in found(file)


def test_a_file_of_a_model_in_training_is_named():
    in_training = {"y": network(PICTURES)["y"] * 2}
    assert "training mode" in faults.of_training(in_training, lambda: in_training | {"auxiliary1": np.ones(1)})
    assert faults.of_training(network(PICTURES), lambda: in_training) == ""


def test_pictures_that_are_not_square_with_height_and_width_exchanged_are_named():
    others = {"y": network(PICTURES)["y"] * 2}  # the model's, for the pictures turned
    assert "height and width" in faults.of_swapped(others, lambda: others)
    assert faults.of_swapped(network(PICTURES), lambda: others) == ""


def test_a_model_that_takes_one_shape_explains_nothing():
    def refused():
        raise ValueError("mat1 and mat2 shapes cannot be multiplied")

    assert faults.of_swapped(network(PICTURES), refused) == ""


def test_a_model_that_cannot_compute_in_training_explains_nothing():
    def refused():
        raise ValueError("expected more than 1 value per channel when training")

    assert faults.of_training(network(PICTURES), refused) == ""


def test_a_right_file_has_no_fault():
    assert found(network) == ""
    assert found(lambda x: {"y": network(x)["y"] * np.float32(1 + 1e-7)}) == ""


def test_a_file_that_gives_no_number_each_time_is_not_told_as_one_that_differs():
    got = {"y": np.array([np.nan, 1.0])}
    assert faults.of_runtime(lambda inputs: got, {}, got, {"y": np.ones(2)}, lambda inputs: {}) == ""


def test_what_is_no_number_is_infinitely_far():
    assert faults.far({"y": np.array([np.nan])}, {"y": np.array([1.0])}) == float("inf")


def test_a_file_with_another_number_of_outputs_is_of_another_model():
    with pytest.raises(ValueError, match="2 outputs, the model 1"):
        faults.named({"a": np.zeros(1), "b": np.zeros(1)}, {"y": np.zeros(1)}, ["y"])


@pytest.mark.parametrize(
    ("engine", "order"),
    [
        ("torch", ["logits", "boxes", "scores"]),
        ("keras-torch", ["logits", "boxes", "scores"]),
        ("keras-jax", ["boxes", "logits", "scores"]),
        ("keras-tensorflow:jit", ["boxes", "logits", "scores"]),
    ],
)
def test_outputs_without_names_come_in_the_order_of_either_framework(engine, order):
    session = SimpleNamespace(engine=SimpleNamespace(name=engine))
    source = Source(session, TWINS["sliding_window"], *[None] * 6, 0.0)
    read = dict.fromkeys(("boxes", "logits", "scores"))  # as a file of arrays has them
    assert faults.named({"0": 0, "1": 1, "2": 2}, read, source.order) == dict(zip(order, range(3), strict=True))


def test_a_model_returns_some_of_the_outputs_that_it_declares():
    assert faults.named({"0": 0}, {"y": 1}, ["auxiliary1", "y"]) == {"y": 0}


def test_inputs_go_where_the_file_names_them_and_else_by_the_alphabet():
    given = {"source": np.zeros(1), "mask": np.ones(1)}
    assert ordered(given, ["serving_default_mask:0", "source"])["serving_default_mask:0"][0] == 1
    assert list(ordered(given, ["args_0", "args_1"])["args_0"]) == [1]  # mask comes first
    with pytest.raises(ValueError, match="takes 1 inputs, the model 2"):
        ordered(given, ["x"])


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_rounding_is_to_the_nearest(kind):
    values = RNG.standard_normal(1000).astype(np.float32)
    bits = {"float16": 11, "bfloat16": 8}[kind]
    assert np.abs(rounded(values, kind) / values - 1).max() <= 2.0**-bits
    assert np.array_equal(rounded(rounded(values, kind), kind), rounded(values, kind))


def test_the_layouts_of_either_side_and_back():
    twin = TWINS["unet"]
    batch = {"x": PICTURES.astype(np.float64), "y": np.zeros(16)}
    assert to_native(twin, "keras", batch)["x"].shape == (16, 6, 5, 3)
    assert to_native(twin, "torch", batch)["x"].shape == (16, 3, 6, 5)
    assert to_native(twin, "torch", batch)["x"].dtype == np.float32
    back = from_native(twin, "torch", {"y": to_native(twin, "torch", batch)["x"]})
    assert np.array_equal(back["y"], PICTURES)


WEIGHTS = {"conv.weight": KERNEL, "dense.weight": LAST}


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ([], ""),
        ([KERNEL, LAST], "whose weights it has"),
        ([KERNEL.T, LAST[::-1]], "whose weights it has"),
        ([KERNEL, np.where(LAST[0, 0] == LAST, 0, LAST)], "other values for 1 of the 16 values of dense.weight"),
        ([KERNEL, LAST * 2], "other values for 16 of the 16 values of dense.weight"),
        ([KERNEL * 2, LAST * 2], "2 of the model's 2 arrays are not in it"),
        ([np.concatenate([KERNEL, LAST])], "2 of the model's 2 arrays are not in it"),
    ],
)
def test_arrays_in_a_file_tell_which_weight_is_another(stored, words):
    said = faults.of_weights(stored, WEIGHTS, distance=1.0)
    assert words in said
    assert bool(said) == bool(words)


def test_arrays_that_an_exporter_has_fused_say_nothing_where_the_outputs_are_alike():
    assert faults.of_weights([np.concatenate([KERNEL, LAST])], WEIGHTS, distance=1e-3) == ""
