"""Chapter 1: what each exercise claims, against formulas, NumPy and the frameworks' own words."""

import json
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compare.engines.engine import ENGINES
from tests.helpers import aside
from tests.helpers.exercises import outputs
from torch_impl import train
from torch_impl.exercises.tensors import model_styles, train_loop
from twin.batches import exercise_inputs
from twin.catalogue import find
from twin.spec import Phase

KERAS = [name for name, engine in ENGINES.items() if engine.side == "keras"]


def answer_of(engine, script):
    """What a script that runs in a process of that engine prints last, read as JSON."""
    return json.loads(aside.run(engine, "-c", script).splitlines()[-1])


# tensors


def test_tensors_against_numpy():
    out, given = outputs("tensors"), exercise_inputs(find("tensors"))
    matrix, other, images = given["matrix"], given["other"], given["images"]
    np.testing.assert_array_equal(out["ranks"], [0, 1, 2, 4])
    np.testing.assert_array_equal(out["reshaped"], matrix.reshape(3, 2))
    np.testing.assert_array_equal(out["transposed_framework"], matrix.T)
    assert not np.array_equal(out["reshaped"], out["transposed_framework"])  # the same shape, other neighbours
    np.testing.assert_allclose(out["product_framework"], matrix @ other)
    np.testing.assert_allclose(out["form_framework"], (matrix @ given["vector"]) ** 2)
    np.testing.assert_allclose(out["diagonal_sum_framework"], np.trace(other[:, :3]))
    np.testing.assert_array_equal(out["copied_framework"], np.repeat(images[:, :1, 0, 0], 3, axis=1))
    np.testing.assert_allclose(out["centred_framework"].sum(1), 0, atol=1e-15)


def test_flattening_depends_on_the_order_of_the_axes():
    out = outputs("tensors")
    np.testing.assert_array_equal(out["channels_last_row"][0, :4], [111, 112, 113, 121])  # all channels of a pixel
    np.testing.assert_array_equal(out["channels_first_row"][0, :4], [111, 121, 131, 141])  # all pixels of a channel
    np.testing.assert_array_equal(np.sort(out["channels_last_row"]), np.sort(out["channels_first_row"]))


def test_patches_are_squares_of_the_picture():
    out = outputs("tensors")["patches_framework"]
    assert out.shape == (2, 2, 12)
    np.testing.assert_array_equal(out[0, 1] // 10, np.repeat([13, 14, 17, 18], 3))  # the picture's right half


# train_loop


LOOPS = """
import json
import keras
import numpy as np
from twin.batches import exercise_inputs
from keras_impl import train
from keras_impl.exercises.tensors import train_loop as loop
from twin.catalogue import find
from twin.spec import Phase
twin = find("train_loop")
given = exercise_inputs(twin)
out = train.exercise(twin, given)
model = loop.start(*(given[name] for name in ("w1", "b1", "w2", "b2")))
run = train.Run(twin, None, model, (Phase(""),))
rate = keras.optimizers.schedules.ExponentialDecay(loop.RATE, 13, loop.DECAY, staircase=True)
model.compile(optimizer=keras.optimizers.SGD(rate), loss=train.LOSSES[twin.loss]())
found = []
data = {"x": given["x"], "y": given["y"]}
train.fit(run, data, list(given["orders"]), lambda epoch, losses: found.append(losses["loss"]))
out["harness_losses"] = np.float32(found)
print(json.dumps({name: array.tolist() for name, array in out.items()}))
"""


@cache
def loops(engine):
    """The exercise's float32 outputs on that engine, and the losses by which the suite's own `fit` trains."""
    if engine != "torch":
        return answer_of(engine, LOOPS)
    given = {name: train.to_tensor(array) for name, array in exercise_inputs(find("train_loop")).items()}
    model = train_loop.start(*(given[name] for name in ("w1", "b1", "w2", "b2")))
    loss = Phase("", loss=lambda model, batch: F.cross_entropy(model(batch["x"]), batch["y"]))
    run = train.Run(find("train_loop"), None, model, (loss,), torch.float32)
    run.optimizers[""] = torch.optim.SGD(model.parameters(), train_loop.RATE)
    run.schedules.append(torch.optim.lr_scheduler.StepLR(run.optimizers[""], 13, train_loop.DECAY))
    found = []
    data = {name: given[name].numpy() for name in ("x", "y")}
    train.fit(run, data, list(given["orders"].numpy()), lambda epoch, losses: found.append(losses["loss"]))
    out = {name: array.tolist() for name, array in outputs("train_loop", "float32").items()}
    return out | {"harness_losses": found}


COMPILED = ("keras-tensorflow", "keras-jax")
EVERY = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=[pytest.mark.long] if name in COMPILED else []) for name in ENGINES]
)


@EVERY
def test_the_loop_is_what_fit_does_to_the_last_digit(engine):
    out = loops(engine)
    assert out["epoch_losses"] == out["fit_losses"]
    assert out["logits"] == out["fit_logits"]


@EVERY
def test_the_suites_own_fit_sees_the_given_orders_too(engine):
    # fit takes a first batch to see its shapes, which once cost the first epoch its order on JAX and torch.
    np.testing.assert_array_equal(np.float32(loops(engine)["harness_losses"]), np.float32(loops(engine)["fit_losses"]))


@EVERY
def test_what_was_saved_is_what_is_loaded(engine):
    out = loops(engine)
    assert out["logits_after_loading"] == out["logits"]


@EVERY
def test_the_rate_is_halved_after_each_epoch(engine):
    rates = np.reshape(loops(engine)["rates"], (5, 13))
    np.testing.assert_array_equal(rates, np.repeat(0.5 ** np.arange(1, 6)[:, None], 13, axis=1))


def test_the_mean_loss_counts_rows_not_batches():
    out = outputs("train_loop")
    losses, rows = out["losses"].reshape(5, 13), [32] * 12 + [16]
    np.testing.assert_allclose(out["epoch_losses"], losses @ rows / 400, rtol=1e-14)
    assert np.abs(out["epoch_losses"] - losses.mean(1)).max() > 1e-3


def test_the_loop_learns_digits():
    out = outputs("train_loop")
    assert (np.diff(out["epoch_losses"]) < 0).all()
    assert out["accuracies"][-1] > 0.85
    labels = exercise_inputs(find("train_loop"))["y_test"]
    assert out["accuracies"][-1] == (out["logits"].argmax(-1) == labels).mean()


# model_styles


@pytest.mark.parametrize("style", ["sequential", "functional", "subclass", "stateless"])
def test_every_style_is_the_same_function(style):
    given = {name: array.astype(np.float64) for name, array in exercise_inputs(find("model_styles")).items()}
    wanted = np.tanh(given["x"] @ given["w1"] + given["b1"]) @ given["w2"] + given["b2"]
    np.testing.assert_allclose(outputs("model_styles")[style], wanted, rtol=1e-13)


def test_functional_means_without_weights_in_pytorch():
    model = model_styles.Network(3, 4, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weights = {name: torch.ones_like(value) for name, value in before.items()}
    torch.func.functional_call(model, weights, torch.ones(1, 3))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not [
        name for name in dir(F) if isinstance(getattr(F, name), type) and issubclass(getattr(F, name), nn.Module)
    ]


STYLES = """
import json
import keras
from keras import layers, ops
inputs = keras.Input((3,))
graph = keras.Model(inputs, layers.Dense(2)(layers.Dense(4)(inputs)))
weights = [ops.ones(v.shape) for v in graph.trainable_variables]
before = [ops.convert_to_numpy(v) for v in graph.trainable_variables]
graph.stateless_call(weights, [], ops.ones((1, 3)))
after = [ops.convert_to_numpy(v) for v in graph.trainable_variables]
unchanged = all((old == new).all() for old, new in zip(before, after))
layers = [type(layer).__name__ for layer in graph.layers]
print(json.dumps({"owned": len(graph.weights), "layers": layers, "unchanged": unchanged}))
"""


def test_functional_means_a_graph_that_owns_its_weights_in_keras():
    found = answer_of("keras-jax", STYLES)
    assert found == {"owned": 4, "layers": ["InputLayer", "Dense", "Dense"], "unchanged": True}


# conv_shapes


def test_shapes_are_those_of_the_formulas():
    out = outputs("conv_shapes")
    assert len(out["shapes_framework"]) == len(out) - 2 >= 100
    np.testing.assert_array_equal(out["shapes_by_hand"], out["shapes_framework"])


@pytest.mark.parametrize(("mode", "of_numpy"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_margins_are_those_of_numpy(mode, of_numpy):
    given = exercise_inputs(find("conv_shapes"))
    signal, kernel = given["signal"].astype(np.float64), given["numbers"][:48].reshape(3, 4, 4).astype(np.float64)
    margin = 2 if mode == "circular" else 1
    padded = np.pad(signal, ((0, 0), (margin, margin), (0, 0)), mode=of_numpy)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)  # (B, T, C, K)
    wanted = np.einsum("btck,kcf->btf", windows, kernel)
    got = outputs("conv_shapes")[f"conv1d_stride1_dilation1_{margin}_{mode}"]
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_a_transposed_convolution_is_the_gradient_of_a_convolution():
    given = exercise_inputs(find("conv_shapes"))
    signal = torch.tensor(given["signal"], dtype=torch.float64).movedim(-1, 1)  # (B, C, T)
    kernel = torch.tensor(given["numbers"][:48], dtype=torch.float64).reshape(3, 4, 4).movedim(-1, 0).movedim(-1, 1)
    x = torch.zeros(2, 4, 19, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(F.conv1d(x, kernel, stride=2), x, signal)
    got = outputs("conv_shapes")["transpose1d_stride2_valid_extra0"]
    np.testing.assert_allclose(got, wanted.movedim(1, -1), rtol=1e-12, atol=1e-14)


REFUSALS = """
import json
from keras import layers, ops
def refusal(make):
    try:
        make()
    except Exception as error:
        return type(error).__name__
    return ""
x = ops.ones((1, 8, 8, 4))
x64 = ops.ones((1, 8, 8, 4), dtype="float64")
print(json.dumps({
    "stride and dilation": refusal(lambda: layers.Conv2D(4, 3, strides=2, dilation_rate=2)),
    "transpose, stride and dilation": refusal(lambda: layers.Conv2DTranspose(4, 3, strides=2, dilation_rate=2)),
    "groups of a transpose": refusal(lambda: layers.Conv2DTranspose(4, 3, groups=2)),
    "a margin of 1": refusal(lambda: layers.Conv2D(4, 3, padding=1)),
    "a margin that reflects": refusal(lambda: layers.Conv2D(4, 3, padding="reflect")),
    "same at a stride": refusal(lambda: layers.Conv2D(4, 3, strides=2, padding="same")(x)),
    "dilation of a transpose": refusal(lambda: layers.Conv2DTranspose(4, 3, dilation_rate=2, dtype="float64")(x64)),
}))
"""


@pytest.mark.parametrize("engine", KERAS)
def test_what_keras_cannot_express(engine):
    assert answer_of(engine, REFUSALS) == {
        "stride and dilation": "ValueError",
        "transpose, stride and dilation": "ValueError",
        "groups of a transpose": "ValueError",
        "a margin of 1": "AttributeError",
        "a margin that reflects": "ValueError",
        "same at a stride": "",  # what PyTorch refuses
        "dilation of a transpose": "InvalidArgumentError" if engine == "keras-tensorflow" else "",
    }


def test_what_pytorch_cannot_express():
    x = torch.ones(1, 4, 8, 8)
    with pytest.raises(ValueError, match="padding='same' is not supported for strided"):
        nn.Conv2d(4, 4, 3, stride=2, padding="same")
    with pytest.raises(TypeError):
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding="same")(x)
    with pytest.raises(ValueError, match='Only "zeros" padding mode is supported'):
        nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect")
    assert nn.Conv2d(4, 4, 3, stride=2, dilation=2)(x).shape == (1, 4, 2, 2)  # what Keras refuses
    assert nn.ConvTranspose2d(4, 4, 3, dilation=2)(x).shape == (1, 4, 12, 12)  # and TensorFlow


def test_same_at_a_stride_is_no_equal_margin_on_even_sizes():
    out = outputs("conv_shapes")
    same, equal = out["conv2d_stride2_dilation1_same_zeros"], out["conv2d_stride2_dilation1_1_zeros"]
    assert same.shape == equal.shape == (2, 5, 4, 4)  # of an image 9 high and 8 wide
    odd, even = (out[f"conv1d_stride2_dilation1_{padding}_zeros"] for padding in ("same", 1))
    np.testing.assert_array_equal(odd, even)  # 9 long: nothing to tell them apart
    assert np.abs(same - equal).max() > 1


# feature_maps


def test_what_a_layer_sees():
    out = outputs("feature_maps")
    np.testing.assert_array_equal(out["fields_by_hand"], [3, 4, 8, 10])
    np.testing.assert_array_equal(out["fields_framework"], out["fields_by_hand"])


def test_the_maps_are_those_of_the_trained_network():
    given = exercise_inputs(find("feature_maps"))
    model = train.build(find("digit_cnn"), dict(find("digit_cnn").small.arguments)).model
    with torch.no_grad():
        for number, layer in enumerate((model.conv1, model.conv2), start=1):
            kernel = torch.tensor(given[f"kernel{number}"])
            layer.weight.copy_(kernel.reshape(3, 3, *kernel.shape[1:]).permute(3, 2, 0, 1))
            layer.bias.copy_(torch.tensor(given[f"bias{number}"]))
        seen = {}
        model.pool2.register_forward_hook(lambda module, inputs, output: seen.update(pool2=output))
        model(torch.tensor(given["digit"])[None, None])
    np.testing.assert_allclose(outputs("feature_maps")["digit_pool2"], seen["pool2"][0].permute(1, 2, 0), atol=1e-5)


@pytest.mark.parametrize("name", ["feature_maps", "edge_filters"])
def test_pictures_are_pictures(name):
    pictures = {key: value for key, value in outputs(name).items() if key.startswith("picture_")}
    assert len(pictures) >= 7
    for key, picture in pictures.items():
        assert picture.ndim == 2, key
        assert picture.min() >= 0, key
        assert 0.2 < picture.max() <= 1, key


# edge_filters


# The command that draws
