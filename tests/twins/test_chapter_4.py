"""Better training, by numbers: what chapter 4 says of augmentation, schedules, ensembles, transfer and weights.

PyTorch's side is held against independent referees: SciPy, Pillow, the standard library, closed formulas. The ladder
has shown that Keras gives the same. What the docstrings say of Keras alone runs in a process per backend.
"""

import colorsys
import json
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR

from tests.helpers import aside, asking
from torch_impl import train
from torch_impl.exercises.training import augmentation
from torch_impl.models.training import transfer_learning
from torch_impl.models.training.ensemble import Ensemble
from twin import data, metrics
from twin.batches import exercise_inputs
from twin.catalogue import find
from twin.paths import ROOT


@cache
def given(name):
    return exercise_inputs(find(name))


@cache
def outputs(name):
    return train.exercise(find(name), given(name), "float64")


@pytest.fixture(scope="module")
def printed(request):
    asked = {item.callspec.params["keras_says"] for item in asking.items(request, "printed")}
    return aside.run_each(asked, str(ROOT / "tests" / "helpers" / "keras_chapter_4.py"))


@pytest.fixture(scope="module", params=aside.KERAS)
def keras_says(request, printed):
    """What tests/helpers/keras_chapter_4.py finds out on that backend."""
    return json.loads(printed[request.param].result().splitlines()[-1])


# Augmentation


def sampled(picture, matrix):
    """SciPy's answer: each pixel from the place matrix (x, y, 1), black beyond the edge."""
    height, width, _ = picture.shape
    y, x = np.mgrid[:height, :width]
    places = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    channels = np.moveaxis(picture.astype(np.float64), -1, 0)
    warped = [ndimage.map_coordinates(c, places[::-1], order=1, mode="grid-constant", cval=0) for c in channels]
    return np.stack(warped, axis=-1)


def expected_matrix(name, row):
    """The map of that transformation, worked out for one picture with its draw."""
    draws = given("augmentation")
    height, width = draws["pictures"].shape[1:3]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    if name == "resized_crop":
        top, left, down, across = draws["box"][row].astype(np.float64)
        linear = np.diag([across / width, down / height])
        return np.column_stack([linear, [left + across / width / 2 - 0.5, top + down / height / 2 - 0.5]])
    turn = np.deg2rad(float(draws["angle"][row]))
    linear = {
        "shifted": np.eye(2),
        "rotated": np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]),
        "sheared": np.array([[1, draws["shear"][row]], [0, 1]]),
        "zoomed": np.eye(2) * draws["zoom"][row],
    }[name]
    moved = draws["shift"][row][::-1] if name == "shifted" else 0
    return np.column_stack([linear, middle - linear @ (middle + moved)])


@pytest.mark.parametrize("name", ["shifted", "rotated", "sheared", "zoomed", "resized_crop"])
def test_what_moves_pixels_agrees_with_scipy(name):
    for row, picture in enumerate(given("augmentation")["pictures"]):
        wanted = sampled(picture, expected_matrix(name, row))
        np.testing.assert_allclose(outputs("augmentation")[name][row], wanted, atol=2e-6)


def test_a_quarter_turn_is_counter_clockwise():
    picture = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    affine = augmentation.about_middle(
        picture, augmentation.rotated(torch.tensor([90.0]).double()), torch.zeros(1, 2).double()
    )
    turned = augmentation.moved(picture, affine)
    np.testing.assert_allclose(turned.numpy(), np.rot90(picture.numpy(), axes=(2, 3)), atol=1e-12)


def test_flips_crops_and_grey_are_what_numpy_says():
    draws, out = given("augmentation"), outputs("augmentation")
    assert {tuple(flip) for flip in draws["flip"].tolist()} >= {(0, 1), (1, 0)}
    for row, picture in enumerate(draws["pictures"]):
        upside_down, left_to_right = draws["flip"][row]
        flipped = picture[:: -1 if upside_down else 1, :: -1 if left_to_right else 1]
        np.testing.assert_array_equal(out["flipped"][row], flipped)
        top, left = draws["corner"][row]
        np.testing.assert_array_equal(out["cropped"][row], picture[top : top + 18, left : left + 24])
        np.testing.assert_allclose(out["grey"][row, ..., 0], picture @ [0.2989, 0.587, 0.114], atol=1e-7)


def test_blur_agrees_with_scipy():
    wanted = ndimage.gaussian_filter(
        given("augmentation")["pictures"].astype(np.float64), sigma=(0, 1, 1, 0), radius=(0, 2, 2, 0), mode="mirror"
    )
    np.testing.assert_allclose(outputs("augmentation")["blurred"], wanted, atol=1e-7)


def test_a_smooth_resize_agrees_with_pillow_and_keeps_less_noise():
    pictures, (height, width) = given("augmentation")["pictures"], augmentation.SMALL
    for picture, smooth in zip(pictures, outputs("augmentation")["resized_smoothly"], strict=True):
        for channel in range(3):
            by_pillow = Image.fromarray(picture[..., channel]).resize((width, height), Image.Resampling.BILINEAR)
            np.testing.assert_allclose(smooth[..., channel], np.asarray(by_pillow), atol=1e-6)
    roughness = {
        name: np.abs(np.diff(outputs("augmentation")[name], axis=2)).mean() for name in outputs("augmentation")
    }
    assert roughness["resized_smoothly"] < 0.97 * roughness["resized"]


def test_hue_saturation_and_value_agree_with_the_standard_library():
    pictures = torch.from_numpy(given("augmentation")["pictures"][:1, ::6, ::6]).double().movedim(-1, 1)
    pictures[0, :, 0, 0], pictures[0, :, 0, 1] = 0.5, 0.0  # a grey and a black pixel, which have no hue
    hsv = augmentation.to_hsv(pictures)
    for pixel, found in zip(pictures[0].flatten(1).T, hsv[0].flatten(1).T, strict=True):
        np.testing.assert_allclose(found, colorsys.rgb_to_hsv(*pixel.tolist()), atol=1e-12)
    np.testing.assert_allclose(augmentation.to_rgb(hsv), pictures, atol=1e-12)


@pytest.mark.parametrize("jitter", [augmentation.jitter_as_in_keras, augmentation.jitter_as_in_torchvision])
def test_a_jitter_of_nothing_changes_nothing(jitter):
    pictures = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    one, none = torch.ones(2).double(), torch.zeros(2).double()
    np.testing.assert_allclose(jitter(pictures, one, one, one, none), pictures, atol=1e-12)


def test_the_same_draw_of_colours_gives_different_pictures():
    out = outputs("augmentation")
    difference = np.abs(out["jitter_as_in_keras"] - out["jitter_as_in_torchvision"])
    assert difference.mean() > 0.05


def test_normalized_channels_can_be_turned_back():
    back = outputs("augmentation")["normalized"] * augmentation.DEVIATION + augmentation.MEAN
    np.testing.assert_allclose(back, given("augmentation")["pictures"], atol=1e-7)


@pytest.mark.parametrize("name", ["rotated", "shifted", "zoomed"])
def test_keras_layers_do_the_same_with_the_same_draw(keras_says, name):
    assert keras_says["layers"][name] < 1e-4


def test_keras_crops_a_whole_batch_at_one_place(keras_says):
    assert keras_says["crop_places_of_a_batch"] == 1
    assert keras_says["crop_places_of_batches"] > 1


def test_keras_brightness_changes_its_input_on_the_torch_backend(keras_says):
    assert keras_says["brightness_kept_its_input"] == (keras_says["backend"] != "torch")


def test_a_keras_blur_without_data_format_mixes_channels_except_on_tensorflow(keras_says):
    assert (keras_says["blur_by_default"] < 1e-6) == (keras_says["backend"] == "tensorflow")


# Schedules


def closed_formula(name, t, count):
    warm_up = count // 3
    return {
        "lambda": 1 / (1 + t),
        "exponential": 0.9**t,
        "step": 0.5 ** (t // 2),
        "cosine": (1 + np.cos(np.pi * t / count)) / 2,
        "warm_up": np.where(
            t < warm_up, 0.1 + 0.9 * t / warm_up, (1 + np.cos(np.pi * (t - warm_up) / (count - warm_up))) / 2
        ),
    }[name]


@pytest.mark.parametrize(("unit", "every"), [("step", 1), ("epoch", 4)])
@pytest.mark.parametrize("name", ["lambda", "exponential", "step", "cosine", "warm_up"])
def test_a_rate_follows_its_formula(name, unit, every):
    steps = np.arange(48)
    wanted = np.float32(0.1) * closed_formula(name, steps // every, 48 // every)
    np.testing.assert_allclose(outputs("schedules")[f"{name}_per_{unit}"], wanted, rtol=1e-12)


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def test_the_same_exponential_decay_counts_steps_in_keras_and_epochs_in_pytorch(keras_says):
    of_torch = optimizer()
    scheduler = ExponentialLR(of_torch, gamma=0.9)
    for _ in range(2):  # epochs of five steps
        for _ in range(5):
            of_torch.step()
        scheduler.step()
    assert scheduler.get_last_lr()[0] == pytest.approx(0.1 * 0.9**2)
    assert keras_says["rate_after_10_steps"] == pytest.approx(0.1 * 0.9**10, rel=1e-5)


def test_past_its_end_a_cosine_rises_in_pytorch_and_stays_in_keras(keras_says):
    of_torch = optimizer()
    scheduler = CosineAnnealingLR(of_torch, T_max=4)
    for _ in range(6):
        of_torch.step()
        scheduler.step()
    assert scheduler.get_last_lr()[0] == pytest.approx(0.05)
    assert keras_says["rate_past_the_end"] == pytest.approx(0, abs=1e-8)


def test_the_scheduler_of_deck_e_is_misspelt():
    with pytest.raises(TypeError, match="gama"):
        ExponentialLR(optimizer(), gama=0.99)


# Initial weights


@pytest.mark.parametrize(
    ("family", "variance"), [("he", 2 / 144), ("glorot", 2 / (144 + 288)), ("lecun", 1 / 144)], ids=lambda v: str(v)[:6]
)
@pytest.mark.parametrize("kind", ["normal", "truncated", "uniform"])
def test_weights_have_the_variance_that_the_paper_asks_for(family, variance, kind):
    assert outputs("initializers")["fans"].tolist() == [3 * 3 * 16, 3 * 3 * 32]
    weights = outputs("initializers")[f"{family}_{kind}"]
    assert weights.std() == pytest.approx(variance**0.5, rel=0.04)  # 4,608 draws: two in a hundred thousand miss it
    assert abs(weights.mean()) < 4 * (variance / weights.size) ** 0.5
    most = {"normal": np.inf, "truncated": 2 / 0.8796, "uniform": 3**0.5}[kind] * variance**0.5
    assert np.abs(weights).max() <= most


def test_orthogonal_weights_keep_lengths():
    weights = outputs("initializers")["orthogonal"]
    np.testing.assert_allclose(weights.T @ weights, np.eye(32), atol=1e-12)


def test_constants_and_defaults():
    out = outputs("initializers")
    assert (out["zeros"].max(), out["ones"].min(), out["constant"].mean()) == (0, 1, pytest.approx(0.1))
    np.testing.assert_array_equal(out["keras_default"], out["glorot_uniform"])
    assert np.abs(out["torch_default"]).max() <= 1 / 12 < np.abs(out["keras_default"]).max()


def test_each_frameworks_own_initializers_do_what_is_written(keras_says):
    assert outputs("initializers")["explained"].tolist() == [1] * 7
    assert keras_says["explained"] == [1] * 7


@pytest.mark.parametrize(("gain", "low", "high"), [(2, 0.3, 3), (1, 0, 1e-4)], ids=["He", "LeCun"])
def test_only_he_keeps_a_signal_alive_through_twenty_relus(gain, low, high):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 256, generator=generator)
    for _ in range(20):
        x = torch.relu(x @ (torch.randn(256, 256, generator=generator) * (gain / 256) ** 0.5))
    assert low < (x**2).mean() < high


# Ensemble


@pytest.fixture(scope="module")
def ensemble():
    """A trained one, and the test part of its data."""
    twin = find("ensemble")
    run = train.build(twin, dict(twin.small.arguments))
    train.prepare(run, steps=1)
    train.fit(run, {}, [np.arange(0)] * 6, lambda epoch, losses: None)
    return run, data.load(twin.data, twin.data_options).test


def member_logits(run, test):
    with torch.inference_mode():
        x = train.to_tensors(run, test)["x"]
        return [member(x).double() for member in run.model.members]


def test_an_ensemble_averages_the_probabilities_of_its_members(ensemble):
    run, test = ensemble
    logits = member_logits(run, test)
    wanted = torch.stack([torch.softmax(member, -1) for member in logits]).mean(0)
    np.testing.assert_allclose(np.exp(train.predict(run, test)["y"]), wanted, atol=1e-6)


def test_the_members_are_different_epochs_and_the_last_is_the_learner(ensemble):
    run, test = ensemble
    first, second, third = member_logits(run, test)
    assert (first - second).abs().mean() > 0.05
    assert (second - third).abs().mean() > 0.05
    for kept, learned in zip(run.model.members[-1].parameters(), run.model.learner.parameters(), strict=True):
        assert torch.equal(kept, learned)


def test_an_ensemble_is_surer_of_the_truth_than_its_members_are_on_average(ensemble):
    run, test = ensemble
    labels = torch.from_numpy(test["y"]).long()
    members = [nn.functional.cross_entropy(logits, labels).item() for logits in member_logits(run, test)]
    together = nn.functional.cross_entropy(torch.from_numpy(train.predict(run, test)["y"]), labels).item()
    assert together < np.mean(members) - 1e-4
    accuracies = [(logits.argmax(-1) == labels).double().mean().item() for logits in member_logits(run, test)]
    assert metrics.accuracy(lambda given: train.predict(run, given), test) >= np.mean(accuracies)


def test_training_leaves_the_members_to_the_schedule():
    model = Ensemble((16, 16, 1), 10, 3)
    assert not any(parameter.requires_grad for parameter in model.members.parameters())
    assert all(parameter.requires_grad for parameter in model.learner.parameters())


# Transfer learning


def statistics(model):
    return [buffer.clone() for name, buffer in model.named_buffers() if "running" in name]


def moved_by_a_batch(model):
    """Whether a forward pass in training mode changes the running statistics."""
    before = statistics(model)
    model.train()
    model(torch.rand(8, 1, 24, 24))
    return not all(torch.equal(old, new) for old, new in zip(before, statistics(model), strict=True))


def test_in_pytorch_a_batch_norm_without_gradients_still_learns_statistics():
    layer = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).requires_grad_(False)
    assert moved_by_a_batch(layer)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_keep_their_statistics(frozen):
    model = transfer_learning.TransferNet((24, 24, 1), 4, 2)
    model.freeze(frozen)
    assert moved_by_a_batch(model) == (not frozen)
    assert all(parameter.requires_grad != frozen for parameter in model.base.parameters())


def test_in_keras_what_is_not_trainable_is_in_inference_mode(keras_says):
    assert keras_says["statistics_move"] == {"frozen": False, "tuned": True}
    assert keras_says["frozen_training_is_inference"]


def accuracy_of_a_head(pretrained: bool) -> float:
    """On new faces, of a head that learned on features that are frozen: trained on textures, or as they were drawn."""
    twin = find("transfer_learning")
    run = train.build(twin, dict(twin.small.arguments))
    faces = data.load(twin.data, twin.data_options)
    quiet = lambda epoch, losses: None
    if pretrained:
        run.model.freeze(False)
        source = nn.Sequential(run.model.base, nn.Linear(64, 8))
        transfer_learning.learn(source, train.to_tensors(run, data.load("textures").train), 1e-3, 32, range(6), quiet)
        run.model.freeze(True)
    transfer_learning.learn(run.model, train.to_tensors(run, faces.train), 1e-2, 32, range(36), quiet)
    return metrics.accuracy(lambda given: train.predict(run, given), faces.test)


def test_features_of_textures_serve_for_faces_and_features_of_nothing_less_so():
    pretrained, drawn = accuracy_of_a_head(pretrained=True), accuracy_of_a_head(pretrained=False)
    assert pretrained >= 0.93
    assert drawn < pretrained - 0.05


# Data sets of one's own


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("name", ["arrays", "table"])
def test_items_arrive_in_the_order_of_the_epoch_with_their_labels(name, epoch):
    digits, out = given("custom_dataset"), outputs("custom_dataset")
    order = np.random.default_rng(epoch).permutation(len(digits["y"]))
    np.testing.assert_array_equal(out[f"{name}_{epoch}"], digits["x"][order])
    np.testing.assert_array_equal(out[f"{name}_labels_{epoch}"], digits["y"][order])


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_folder_is_sorted_by_class_before_it_is_shuffled(epoch):
    digits, out = given("custom_dataset"), outputs("custom_dataset")
    by_class = np.argsort(digits["y"], kind="stable")
    order = by_class[np.random.default_rng(epoch).permutation(len(by_class))]
    np.testing.assert_array_equal(out[f"folder_{epoch}"], digits["x"][order])
    np.testing.assert_array_equal(out[f"folder_labels_{epoch}"], digits["y"][order])


def test_the_last_batch_is_smaller_or_dropped():
    rows = len(given("custom_dataset")["y"])
    assert outputs("custom_dataset")["sizes"].tolist() == [32] * (rows // 32) + [rows % 32]
    assert outputs("custom_dataset")["sizes_dropped"].tolist() == [32] * (rows // 32)


def test_keras_shuffles_the_batches_of_a_pydataset_and_not_its_items(keras_says):
    asked = keras_says["batches_asked_for"]
    assert sorted(asked) == list(range(11))
    assert asked != sorted(asked)
