"""Video, by numbers: what chapter 6 says of CTC, space-time maps and tubelets.

PyTorch's side is held against independent referees: NumPy, SciPy, Keras's own CTC, transformers. The ladder has shown
that Keras gives the same.
"""

import base64
import io
import sys
from datetime import datetime, timedelta
from itertools import product

import keras
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import log_softmax, logsumexp
from torch import nn

from compare.worker import pictures
from keras_impl.models.video import conv3d as keras_conv3d
from tests.helpers.refusals import refused_alike
from torch_impl import train
from torch_impl.models.classification import vit
from torch_impl.models.video import conv3d as torch_conv3d
from twin import data, metrics
from twin.catalogue import find
from twin.data import clips, digit_strings, lips, pronunciations, pulses
from twin.errors import TwinError

SMALL = {name: find(name).small.arguments for name in ("crnn", "conv3d", "stmap", "video_vit", "lip_reading")}
WRONG = {  # what each network refuses
    "crnn": [{"image_shape": (31, 64, 1)}, {"image_shape": (32, 7, 1)}, {"image_shape": (32, 64)}, {"num_classes": 1}],
    "conv3d": [{"clip_shape": (20, 20, 1)}, {"clip_shape": (0, 20, 20, 1)}, {"num_classes": 1}],
    "stmap": [{"map_shape": (8, 7, 3)}, {"map_shape": (8, 128)}, {"map_shape": (0, 128, 3)}],
    "lip_reading": [{"clip_shape": (24, 14, 24, 1)}, {"clip_shape": (24, 16, 24)}, {"num_classes": 1}],
    "video_vit": [{"clip_shape": (7, 20, 20, 1)}, {"clip_shape": (8, 20, 21, 1)}, {"num_classes": 1}],
}


def built(name, **changes):
    """The twin's PyTorch model at its small size, or near it."""
    return train.build(find(name), {**SMALL[name], **changes}).model.eval()


@pytest.mark.parametrize("name", WRONG)
def test_sizes_that_a_network_cannot_take_are_told_alike(name):
    for changes in WRONG[name]:
        assert str(next(iter(changes.values()))) in refused_alike(name, {**SMALL[name], **changes})


@pytest.mark.parametrize("name", [name for name in SMALL if find(name).paper_size])
def test_the_papers_size_has_its_count(name):
    twin = find(name)
    with torch.device("meta"):
        model = getattr(train.load_module(twin), twin.model)(**twin.paper_size.arguments)
    lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    second_biases = sum(p.numel() for lstm in lstms for name, p in lstm.named_parameters() if "bias_hh" in name)
    assert sum(p.numel() for p in model.parameters()) - second_biases == twin.paper_size.parameters


# CTC


def test_ctc_is_the_sum_over_all_paths_that_read_as_the_string():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((1, 5, 3)).astype(np.float32)
    target = [1, 1]
    shares = log_softmax(logits[0].astype(np.float64), axis=-1)
    paths = [path for path in product(range(3), repeat=5) if metrics.best_path(np.eye(3)[[path]])[0] == target]
    expected = -logsumexp([sum(shares[step, label] for step, label in enumerate(path)) for path in paths])
    y = torch.tensor([[*target, 0]])
    assert built("crnn").compute_loss(None, y, torch.from_numpy(logits)).item() == pytest.approx(expected, rel=1e-5)


def test_the_best_path_is_keras_greedy_decoding():
    logits = np.random.default_rng(1).standard_normal((6, 15, 11)).astype(np.float32)
    decoded, _ = keras.ops.ctc_decode(logits, np.full(6, 15), strategy="greedy", mask_index=0)
    rows = keras.ops.convert_to_numpy(decoded)[0]
    assert metrics.best_path(logits) == [row[row >= 0].tolist() for row in rows]


@pytest.mark.parametrize(
    ("found", "true", "rate"),
    [
        ([""], ["ab"], 2 / 2),
        (["kitten"], ["sitting"], 3 / 7),
        (["sitting"], ["kitten"], 3 / 6),
        (["flaw"], ["lawn"], 2 / 4),
        (["ba"], ["ab"], 2 / 2),
        ([[1, 12]], [[11, 2]], 2 / 2),  # classes, not the digits that they are written with
        (["abcd", "x"], ["abc", "x"], 1 / 4),  # edits over all sequences, not the mean of their rates
    ],
)
def test_an_error_rate_is_edits_for_each_true_item(found, true, rate):
    assert metrics.error_rate(found, true) == pytest.approx(rate)


def test_a_character_error_rate_counts_edits_for_each_character():
    test = {"x": np.zeros(2), "y": np.array([[1, 2, 0], [3, 3, 3]])}
    read = np.eye(4)[[[1, 0, 2, 2, 0, 0], [3, 3, 0, 3, 0, 1]]]  # 1 2, right; 3 3 1 for 3 3 3
    assert metrics.character_error_rate(lambda inputs: {"y": read}, test) == 1 / 5
    assert metrics.character_error_rate(lambda inputs: {"y": np.eye(4)[np.zeros((2, 6), int)]}, test) == 1


def test_every_string_has_a_path():
    for part in (digit_strings.load(train_count=300, test_count=100).train,):
        strings = part["y"]
        repeats = ((strings[:, 1:] == strings[:, :-1]) & (strings[:, 1:] > 0)).sum(1)
        assert ((strings > 0).sum(1) + repeats).max() <= built("crnn")(torch.zeros(1, 1, 32, 64)).shape[1]
        assert ((strings > 0).sum(1) >= 3).all()
        assert (part["x"].max((1, 2, 3)) > 0.6).all()


def test_what_crnn_reads_is_one_picture_whose_columns_are_steps():
    model, x = built("crnn"), torch.randn(1, 1, 32, 64)
    assert model(x).shape == (1, 64 // 4 - 1, 11)
    features = model.conv1(x)
    other = x.clone()
    other[..., 40:] += 1
    changed = (features != model.conv1(other)).any(1)[0].any(0).nonzero()
    assert changed.min() == 39  # a column sees its neighbours, and the order of columns is that of the picture


# Clips


def test_a_single_frame_does_not_show_the_motion():
    part = data.load("clips", {"train_count": 400, "test_count": 8}).train
    middles = part["x"][:, 3:5].mean(1)  # the same for a motion and its opposite, up to noise
    for there, back in ((0, 1), (2, 3), (4, 5), (6, 7)):
        apart = middles[part["y"] == there].mean(0) - middles[part["y"] == back].mean(0)
        assert np.abs(apart).max() < 0.25
    first, last = (part["x"][:, t, ..., 0] for t in (0, -1))
    inks = [np.where(frame > 0.4, frame, 0) for frame in (first, last)]
    mass = [(ink * np.arange(20)).sum((1, 2)) / ink.sum((1, 2)) for ink in inks]
    moved = mass[1] - mass[0]
    assert moved[part["y"] == 0].max() < 0 < moved[part["y"] == 1].min()
    assert clips.MOTIONS[:2] == ("left", "right")


@pytest.mark.parametrize(
    ("load", "options"),
    [(clips.load, {"frames": 1}), (digit_strings.load, {"width": 20}), (pulses.load, {"frames": 10})],
)
def test_data_that_cannot_be_made_is_one_clear_line(load, options):
    with pytest.raises(TwinError, match="received"):
        load(**options)


# Volumes


def test_the_first_pooling_of_c3d_keeps_the_time_and_the_last_rounds_up():
    twin = find("conv3d")
    seen = {}
    with torch.device("meta"):
        model = train.load_module(twin).C3D(**twin.paper_size.arguments)
        for name in ("conv2", "conv3a", "conv4a", "conv5a", "flatten"):
            getattr(model, name).register_forward_pre_hook(
                lambda layer, given, name=name: seen.update({name: tuple(given[0].shape[2:])})
            )
        model(torch.zeros(1, 3, 16, 112, 112))
    assert seen == {
        "conv2": (16, 56, 56),
        "conv3a": (8, 28, 28),
        "conv4a": (4, 14, 14),
        "conv5a": (2, 7, 7),
        "flatten": (1, 4, 4),  # 7x7 rounded up
    }
    assert model.dense1.in_features == 512 * 4 * 4 == 8192


def test_padding_on_both_sides_is_another_pooling():
    x = torch.arange(49.0).reshape(1, 1, 1, 7, 7)
    theirs = nn.MaxPool3d((1, 2, 2), padding=(0, 1, 1))(x)
    ours = torch_conv3d.max_pool(x, frames=1, round_up=True)
    assert theirs.shape == ours.shape
    assert (theirs != ours).any()


@pytest.mark.parametrize("round_up", [True, False])
@pytest.mark.parametrize("frames", [1, 2])
def test_pooling_frames_and_then_time_is_pooling_volumes(frames, round_up):
    x = torch.randn(2, 3, 5, 7, 6)
    ours = keras_conv3d.max_pool(x.movedim(1, -1), frames, round_up)
    whole = keras.layers.MaxPooling3D((frames, 2, 2), padding="same" if round_up else "valid")(x.movedim(1, -1))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(whole))
    np.testing.assert_array_equal(torch_conv3d.max_pool(x, frames, round_up).movedim(1, -1), whole.detach().cpu())


def test_a_kernel_over_time_sees_the_motion_of_three_frames():
    model, x = built("conv3d"), torch.zeros(1, 1, 8, 20, 20)
    x[:, :, 4] = 1
    seen = (model.conv1(x) - model.conv1(torch.zeros_like(x))).abs().amax((1, 3, 4))[0] > 1e-6
    assert seen.nonzero().flatten().tolist() == [3, 4, 5]


# Space-time maps


def test_the_label_of_a_map_is_the_rate_of_its_clean_pulse():
    pulse, rate = pulses.beats(512, 40, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(pulse * np.hanning(512), 4096))
    hertz = np.fft.rfftfreq(4096, 1 / pulses.RATE)
    spectrum[:, hertz > 2.6] = 0  # a second wave within a beat has its own line
    spectrum[:, hertz < 0.6] = 0
    found = hertz[spectrum.argmax(1)]
    halves = np.minimum(np.abs(found - rate[:, 0]), np.abs(found / 2 - rate[:, 0]))
    assert np.median(np.abs(found - rate[:, 0])) < 0.05
    assert halves.max() < 0.12


@pytest.fixture
def heartpy(tmp_path, monkeypatch):
    """A package of that name; its recordings are drawn pulses of 60 and 90 beats a minute, in heartpy's three forms."""
    (tmp_path / "heartpy/data").mkdir(parents=True)
    (tmp_path / "heartpy/__init__.py").write_text("raise AssertionError('nobody imports it')")
    start = datetime(2016, 11, 24, 13, 58, 58)
    forms = {
        "data.csv": (60, 100, "", lambda second: ""),
        "data2.csv": (60, 117, "timer,hr", lambda second: f"{1000 * second},"),
        "data3.csv": (90, 66, "datetime,hr", lambda second: f"{start + timedelta(seconds=second)},"),
    }
    for name, (rate, samples, head, before) in forms.items():
        seconds = np.arange(0, 120, 1 / samples)
        within = (seconds * rate / 60) % 1
        values = 500 + 200 * np.exp(-(((within - 0.3) / 0.1) ** 2)) + 60 * np.exp(-(((within - 0.65) / 0.12) ** 2))
        lines = [f"{before(second)}{value:.0f}" for second, value in zip(seconds, values, strict=True)]
        (tmp_path / "heartpy/data" / name).write_text("\n".join([head, *lines] if head else lines) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "heartpy", raising=False)
    return tmp_path / "heartpy/data"


def test_recorded_pulses_are_read_where_they_lie_and_their_beats_counted(heartpy):
    waves, _ = pulses.recordings()
    for wave, rate in zip(waves, (60, 60, 90), strict=True):
        assert len(wave) == pytest.approx(0.7 * 120 * pulses.SAMPLES, abs=2)
        steps = np.diff(pulses.beats_of(wave))
        # A beat is found at a sample, of 40 or 60 in its period, and its highest place may be the next one.
        np.testing.assert_allclose(steps, 60 / rate * pulses.SAMPLES, atol=2)
    pulse, rate = pulses.stretches(waves, 512, 40, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(pulse * np.hanning(512), 4096))
    found = np.fft.rfftfreq(4096, 1 / pulses.RATE)[spectrum.argmax(1)]
    harmonics = np.abs(found[:, None] / np.arange(1, 4) - rate)  # a second wave within a beat has its own line
    assert harmonics.min(1).max() < 0.05
    assert np.ptp(rate) > 1
    part = pulses.load(train_count=6, test_count=3, recorded=True)
    assert part.test["x"].shape == (3, 8, 128, 3)
    assert "real pulses" in part.provenance


def test_recordings_that_are_not_there_or_others_are_one_line(heartpy, monkeypatch):
    with pytest.raises(TwinError, match=r"no clean stretch of \d+ beats; received frames=9000"):
        pulses.load(frames=9000, recorded=True)
    (heartpy / "data2.csv").write_text("timer,hr\n0.0,many\n")
    with pytest.raises(TwinError, match=r"data2\.csv is no recording as heartpy 1\.2\.7 has it: could not convert"):
        pulses.load(recorded=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TwinError, match="pip install --no-deps heartpy"):
        pulses.load(recorded=True)


def test_every_row_of_a_map_is_scaled_to_its_own_range():
    x = data.load("pulses", {"train_count": 4, "test_count": 4}).test["x"]
    assert x.shape == (4, 8, 128, 3)
    np.testing.assert_array_equal(x.min(2), 0)
    np.testing.assert_array_equal(x.max(2), 1)


def test_a_map_needs_a_third_of_the_weights_of_a_volume():
    model = built("stmap")
    flat = [model.conv1, model.conv2, model.conv3]
    deep = [nn.Conv3d(c.in_channels, c.out_channels, (3, *c.kernel_size)) for c in flat]
    counts = [sum(layer.weight.numel() for layer in each) for each in (flat, deep)]
    assert 3 * counts[0] == counts[1]


# Tubelets


def shuffled_clips(tubelet=(2, 5, 5)):
    """A clip, and the same with its tubelets in another order."""
    clip = torch.randn(1, 1, 8, 20, 20)
    t, h, w = tubelet
    parts = clip.unfold(2, t, t).unfold(3, h, h).unfold(4, w, w)  # (1, 1, 4, 4, 4, t, h, w)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    mixed = parts.reshape(1, 1, 64, t, h, w)[:, :, order].reshape(parts.shape)
    return clip, mixed.permute(0, 1, 2, 5, 3, 6, 4, 7).reshape(clip.shape)


def test_a_clip_is_a_sentence_of_tubelets_and_a_class_token():
    assert built("video_vit").pos_embedding.shape == (1, 1 + (8 // 2) * (20 // 5) ** 2, 48)
    assert (
        built("video_vit", tubelet_size=(1, 20, 20)).pos_embedding.shape[1] == 1 + 8
    )  # a token a frame is a choice of size


def test_without_positions_a_shuffled_clip_is_the_same_clip():
    model = built("video_vit")
    nn.init.normal_(model.pos_embedding)
    clip, mixed = shuffled_clips()
    assert (model(clip) - model(mixed)).abs().max() > 1e-2
    nn.init.zeros_(model.pos_embedding)
    torch.testing.assert_close(model(clip), model(mixed), atol=1e-5, rtol=1e-4)


def test_tubelets_are_flattened_as_numpy_would():
    model, clip = built("video_vit"), torch.randn(1, 1, 8, 20, 20)
    kernel, bias = model.tubelet_embedding.weight.detach().numpy(), model.tubelet_embedding.bias.detach().numpy()
    cut = clip.numpy().reshape(4, 2, 4, 5, 4, 5).transpose(0, 2, 4, 1, 3, 5).reshape(64, -1)
    tokens = model.tubelet_embedding(clip).flatten(2).transpose(1, 2)[0].detach().numpy()
    np.testing.assert_allclose(tokens, cut @ kernel.reshape(48, -1).T + bias, atol=1e-5)


def test_the_blocks_are_vits():
    assert all(type(block) is vit.EncoderBlock for block in built("video_vit").blocks)


# Lips


def test_every_sentence_has_a_path_and_is_of_digits():
    part = lips.load(train_count=200, test_count=8).train
    assert part["x"].shape == (200, 24, 16, 24, 1)
    letters = part["y"]
    repeats = ((letters[:, 1:] == letters[:, :-1]) & (letters[:, 1:] > 0)).sum(1)
    assert ((letters > 0).sum(1) + repeats).max() <= 24
    said = {word for row in letters for word in lips.spelled(row).split()}
    assert said == set(lips.WORDS)


def test_the_puppets_phones_are_those_of_the_dictionary():
    arrays, names = pronunciations.read(), ["", *pronunciations.PHONES]
    shipped = {
        pronunciations.spelled(letters): " ".join(names[phone] for phone in phones if phone)
        for letters, phones in zip(arrays["letters"], arrays["phones"], strict=True)
    }
    known = {word: phones for word, phones in lips.WORDS.items() if word in shipped}
    assert known == {word: shipped[word] for word in known}
    assert {phone for phones in lips.WORDS.values() for phone in phones.split()} <= set(pronunciations.PHONES)
    assert set(lips.VISEMES) == {"rest", *lips.GLIDES.values()} | {p for w in lips.WORDS.values() for p in w.split()}


def test_a_mouth_that_opens_is_darker_in_the_middle():
    rng = np.random.default_rng(0)
    shut, wide_open = (lips._drawn(np.array([lips.VISEMES[phone]]), 16, 24, rng)[0] for phone in ("rest", "AO"))
    assert wide_open[7:9, 11:13].mean() < 0.2 < shut[6:10, 11:13].max()


def test_a_word_error_rate_counts_words():
    letters = {word: [ord(letter) - 96 for letter in word] for word in lips.WORDS}
    one_two = [*letters["one"], lips.SPACE, *letters["two"]]
    test = {"y": np.array([[*one_two, 0, 0, 0, 0]])}
    read = np.eye(28)[[[*letters["one"], lips.SPACE, *letters["six"], 0]]]
    assert metrics.word_error_rate(lambda inputs: {"y": read}, test) == 0.5
    assert metrics.word_error_rate(lambda inputs: {"y": np.eye(28)[[one_two]]}, test) == 0


def test_lipnet_keeps_every_frame():
    model = built("lip_reading")
    assert model(torch.zeros(1, 1, 24, 16, 24)).shape == (1, 24, 28)


def test_the_papers_clips_leave_three_rows_of_six_columns_for_the_gru():
    twin = find("lip_reading")
    with torch.device("meta"):
        model = train.load_module(twin).LipNet(**twin.paper_size.arguments)
        assert model.gru1.input_size == 3 * 6 * 96
        assert model(torch.zeros(1, 3, 75, 50, 100)).shape == (1, 75, 28)


# Pictures in a report


def strip(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture["png"]))).convert("L")) / 255


def test_a_report_shows_what_was_read_as_the_digits_it_stands_for():
    part = data.load("digit_strings", {"train_count": 8, "test_count": 9}).test
    right = np.eye(11)[np.repeat(part["y"], 2, axis=1) * np.tile([1, 0], 5)]  # each label, then a blank
    shown = pictures.of_predictions(find("crnn"), part, {"y": right}, digit_strings.spelled)
    assert shown["labels"]["true"] == shown["labels"]["predicted"]
    assert shown["labels"]["true"][0] == "".join(str(label - 1) for label in part["y"][0] if label)


def test_a_report_shows_a_clip_as_frames_one_under_the_other():
    part = data.load("clips", {"train_count": 8, "test_count": 9}).test
    shown = pictures.of_predictions(find("video_vit"), part, {"y": np.eye(8)[part["y"]]})
    assert shown["tile"] == [160, 20]
    drawn = strip(shown["pictures"][0])[:, :20]
    frames = part["x"][0, ..., 0].reshape(160, 20)
    assert np.corrcoef(drawn.ravel(), frames.ravel())[0, 1] > 0.98  # sixteen greys, and outliers cut off


def test_a_report_shows_where_a_clips_class_token_looks():
    values = {"blocks.0.attention.query/out": np.zeros((1, 9, 4)), "blocks.0.attention.key/out": np.zeros((1, 9, 4))}
    values["blocks.0.attention.query/out"][0, 0] = 1
    values["blocks.0.attention.key/out"][0, 1 + 6] = 9  # frame 2 of 2, row 2 of 2, column 1 of 2
    looks = strip(pictures.attention(values, 2, (4, 6, 6, 1), (2, 3, 3)))
    assert looks.shape == (24, 6)
    assert looks[12:].reshape(2, 6, 6)[:, 3:, :3].min() > 0.9
    assert looks[:12].max() < 0.1
    assert pictures.attention(values, 2, (6, 6, 1), (2, 3, 3)) is None
