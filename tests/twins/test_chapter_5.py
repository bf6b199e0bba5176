"""Sequences, by numbers: what chapter 5 says of convolutions over time, recurrence, both directions and attention.

PyTorch's side is held against independent referees: NumPy, SciPy, the frameworks' own layers. The ladder has shown that
Keras gives the same.
"""

import base64
import io
from functools import cache

import keras
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import correlate
from scipy.special import expit, log_softmax, softmax
from torch import nn

from benchmarks.public_worker import of_torch
from compare.worker import pictures
from keras_impl import train as keras_train
from tests.helpers.refusals import refused_alike
from torch_impl import train
from torch_impl.exercises.sequences import attention
from twin import data, metrics
from twin.batches import exercise_inputs
from twin.catalogue import find
from twin.data import pronunciations, vowels
from twin.errors import TwinError

SHORTEST = {"har_conv1d": 19, "stacked_lstm": 1, "gru": 1, "conv_lstm": 1}  # steps of which something is left


def built(name, seed=0):
    """The twin's PyTorch model at its small size."""
    return train.build(find(name), dict(find(name).small.arguments), seed=seed).model.eval()


def windows(name, rows=3):
    """The first test rows as a tensor."""
    twin = find(name)
    return torch.from_numpy(data.load(twin.data, twin.data_options).test["x"][:rows])


@pytest.mark.parametrize("name", SHORTEST)
def test_sequences_that_a_network_cannot_take_are_told_alike(name):
    twin = find(name)
    steps, channels = SHORTEST[name], twin.small.arguments["window_shape"][1]
    fits = {**twin.small.arguments, "window_shape": (steps, channels)}
    assert getattr(train.load_module(twin), twin.model)(**fits).eval()(torch.zeros(2, steps, channels)).isfinite().all()
    wrong = ({"window_shape": (steps - 1, channels)}, {"window_shape": (steps,)}, {"num_classes": 1})
    for changes in wrong:
        assert str(next(iter(changes.values()))) in refused_alike(name, {**fits, **changes})


# Speech


def test_short_utterances_have_zeros_in_front_and_end_with_speech():
    arrays, test = vowels.read(), vowels.load(normalise=False).test["x"]
    lengths = arrays["test_lengths"]
    assert (lengths.min(), lengths.max()) == (7, 29)
    starts = np.cumsum(lengths) - lengths
    for row in (0, 7, len(lengths) - 1):
        steps = arrays["test_x"][starts[row] : starts[row] + lengths[row]]
        np.testing.assert_array_equal(test[row, -lengths[row] :], steps)
        assert not test[row, : -lengths[row]].any()


def test_coefficients_are_normalised_by_the_train_part():
    arrays, train_x = vowels.read(), vowels.load().train["x"]
    spoken = train_x[np.arange(29) >= 29 - arrays["train_lengths"][:, None]]
    np.testing.assert_allclose(spoken.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(spoken.std(0), 1, atol=1e-5)


# Convolutions over time


def test_a_convolution_over_time_is_a_correlation_of_each_channel():
    model, x = built("har_conv1d"), windows("har_conv1d")
    y = model.conv1(x.transpose(1, 2)).detach().numpy()  # (B, out_channels, T - kernel_size + 1)
    assert y.shape == (3, 32, 25 - 3 + 1)
    kernel, bias = (weight.detach().numpy() for weight in (model.conv1.weight, model.conv1.bias))
    for row, filter_ in ((0, 0), (2, 31)):
        by_channel = [correlate(x[row, :, c].numpy(), kernel[filter_, c], mode="valid") for c in range(6)]
        np.testing.assert_allclose(y[row, filter_], np.sum(by_channel, axis=0) + bias[filter_], atol=1e-5)


def test_the_published_teaching_size_has_its_count():
    twin = find("har_conv1d")
    with torch.device("meta"):
        model = train.load_module(twin).HARConv1D(**twin.paper_size.arguments)
    assert sum(p.numel() for p in model.parameters()) == twin.paper_size.parameters == 520_486


def test_same_padding_keeps_every_step_for_the_lstm():
    model, x = built("conv_lstm"), windows("conv_lstm")
    assert model.conv2(model.conv1(x.transpose(1, 2))).shape == (3, 32, 29)


def test_a_step_reaches_the_lstm_with_its_neighbours():
    model, x = built("conv_lstm"), windows("conv_lstm", rows=1)
    later = x.clone()
    later[:, 10] += 1
    features = [model.conv2(torch.relu(model.conv1(each.transpose(1, 2)))) for each in (x, later)]
    changed = (features[0] != features[1]).any(1)[0]
    assert changed.nonzero().flatten().tolist() == [8, 9, 10, 11, 12]  # two kernels of three steps


# Recurrence


def test_a_gru_is_its_equations():
    model, x = built("gru"), windows("gru")
    weights = {name: p.detach().double().numpy() for name, p in model.gru.named_parameters()}
    state = np.zeros((3, 32))
    for step in x.double().numpy().transpose(1, 0, 2):
        of_input = np.split(step @ weights["weight_ih_l0"].T + weights["bias_ih_l0"], 3, axis=1)
        of_state = np.split(state @ weights["weight_hh_l0"].T + weights["bias_hh_l0"], 3, axis=1)
        reset, update = (expit(a + b) for a, b in zip(of_input[:2], of_state[:2], strict=True))
        candidate = np.tanh(of_input[2] + reset * of_state[2])
        state = update * state + (1 - update) * candidate
    np.testing.assert_allclose(model.gru(x)[1][0].detach(), state, atol=1e-6)


@pytest.mark.parametrize(("width", "hidden"), [(12, 32), (256, 512)])
def test_a_gru_has_three_quarters_of_an_lstms_weights(width, hidden):
    gru, lstm = (sum(p.numel() for p in kind(width, hidden).parameters()) for kind in (nn.GRU, nn.LSTM))
    assert 4 * gru == 3 * lstm


def test_two_modules_are_one_lstm_of_two_layers():
    model, x = built("stacked_lstm"), windows("stacked_lstm")
    whole = nn.LSTM(12, 32, num_layers=2, bidirectional=True, batch_first=True)
    for number, part in enumerate((model.lstm1, model.lstm2)):
        for name, parameter in part.named_parameters():
            getattr(whole, name.replace("l0", f"l{number}")).data.copy_(parameter)
    torch.testing.assert_close(model(x), model.dense(whole(x)[0].mean(1)))


def test_the_last_step_of_a_backward_lstm_has_read_one_step():
    model, x = built("stacked_lstm"), windows("stacked_lstm", rows=1)
    other = x.clone()
    other[:, :-1] += 1  # everything but the last step
    (y, _), (changed, _) = model.lstm1(x), model.lstm1(other)
    torch.testing.assert_close(y[:, -1, 32:], changed[:, -1, 32:])
    assert (y[:, -1, :32] - changed[:, -1, :32]).abs().max() > 1e-2
    assert (y.mean(1) - changed.mean(1))[:, 32:].abs().max() > 1e-2


# Attention


@cache
def outputs():
    return train.exercise(find("attention"), exercise_inputs(find("attention")), "float64")


@cache
def by_head():
    """NumPy's queries, keys and values of the exercise's inputs, (B, heads, T, 64) each."""
    given = {name: array.astype(np.float64) for name, array in exercise_inputs(find("attention")).items()}
    parts = np.split(given["tokens"] @ given["qkv_kernel"], 3, axis=-1)
    return [part.reshape(2, 6, 8, 64).transpose(0, 2, 1, 3) for part in parts]


@pytest.mark.parametrize("mask", ["plain", "causal", "padded"])
def test_attention_is_numpys(mask):
    query, key, value = by_head()
    scores = query @ key.swapaxes(-1, -2) / 8  # the root of 64
    seen = {
        "plain": np.ones((6, 6), bool),
        "causal": np.tril(np.ones((6, 6), bool)),
        "padded": (np.arange(6) < exercise_inputs(find("attention"))["lengths"][:, None])[:, None, None],
    }[mask]
    weights = softmax(np.where(seen, scores, -np.inf), axis=-1)
    y = (weights @ value).transpose(0, 2, 1, 3).reshape(2, 6, 512)
    np.testing.assert_allclose(
        outputs()[f"{mask}_weights"], weights.transpose(0, 2, 1, 3).reshape(2, 6, 48), atol=1e-12
    )
    for way in ("by_hand", "framework"):
        np.testing.assert_allclose(outputs()[f"{mask}_{way}"], y, atol=1e-12)


def test_weights_are_shares_and_masks_take_theirs_away():
    shares = {mask: outputs()[f"{mask}_weights"].reshape(2, 6, 8, 6) for mask in ("plain", "causal", "padded")}
    for weights in shares.values():
        np.testing.assert_allclose(weights.sum(-1), 1)
    assert not np.triu(shares["causal"].transpose(0, 2, 1, 3), 1).any()
    assert not shares["padded"][1, ..., 4:].any()
    np.testing.assert_array_equal(shares["padded"][0], shares["plain"][0])


def test_the_decks_attention_is_keras_layer_of_that_size():
    given = exercise_inputs(find("attention"))
    layer = keras.layers.MultiHeadAttention(num_heads=8, key_dim=64)
    layer.build(given["tokens"].shape, given["tokens"].shape)
    kernels = np.split(given["qkv_kernel"], 3, axis=1)
    arrays = [array for kernel in kernels for array in (kernel.reshape(32, 8, 64), np.zeros((8, 64)))]
    layer.set_weights([*arrays, given["out_kernel"].reshape(8, 64, 32), given["out_bias"]])
    expected = keras.ops.convert_to_numpy(layer(given["tokens"], given["tokens"]))
    np.testing.assert_allclose(outputs()["deck"], expected, atol=1e-5)


def test_positions_are_the_papers_waves():
    step, channel = np.mgrid[:6, :32]
    angle = step / 10000 ** (2 * (channel // 2) / 32)
    np.testing.assert_allclose(outputs()["positions"], np.where(channel % 2, np.cos(angle), np.sin(angle)), atol=1e-12)
    in_turn = outputs()["positions_in_halves"].reshape(6, 2, 16).transpose(0, 2, 1).reshape(6, 32)
    np.testing.assert_array_equal(outputs()["positions"], in_turn)


def test_shuffled_tokens_give_shuffled_outputs_unless_their_places_count():
    out = outputs()
    np.testing.assert_allclose(out["deck_shuffled"], out["deck"][:, attention.ORDER], atol=1e-12)
    assert np.abs(out["placed_shuffled"] - out["placed"][:, attention.ORDER]).max() > 0.1


# Transformer


@cache
def transformer(**changes):
    """The PyTorch model at its small size, or near it."""
    arguments = {**find("transformer").small.arguments, "dropout": 0.0, **changes}
    return train.build(find("transformer"), arguments).model.eval()


@cache
def words(rows=5):
    """The first test words as tensors of whole numbers."""
    part = data.load("pronunciations").test
    return [torch.from_numpy(part[name][:rows]).long() for name in ("source", "target", "y")]


def copied(layer, theirs, names):
    """Their layer with our weights; `names` says which of our attributes each of theirs is."""
    state = dict(theirs.state_dict())
    for their, our in names.items():
        part = layer.get_submodule(our)
        if hasattr(part, "projection"):
            for own in ("weight", "bias"):
                stacked = [getattr(getattr(part, each), own) for each in ("query", "key", "value")]
                state[f"{their}.in_proj_{own}"] = torch.cat(stacked)
                state[f"{their}.out_proj.{own}"] = getattr(part.projection, own)
        else:
            state |= {f"{their}.{own}": getattr(part, own) for own in ("weight", "bias")}
    theirs.load_state_dict(state)
    return theirs.eval()


def test_an_encoder_layer_is_pytorchs():
    ours, x = transformer().encoder[0], torch.randn(2, 7, 64)
    theirs = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    names = {"self_attn": "attention", "norm1": "norm1", "norm2": "norm2", "linear1": "dense1", "linear2": "dense2"}
    seen = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    expected = copied(ours, theirs, names)(x, src_key_padding_mask=~seen)
    found = ours(x, seen[:, None, None])
    torch.testing.assert_close(found[seen], expected[seen], atol=1e-5, rtol=1e-4)


def test_a_decoder_layer_is_pytorchs():
    ours, x, memory = transformer().decoder[0], torch.randn(2, 9, 64), torch.randn(2, 7, 64)
    theirs = nn.TransformerDecoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    names = {"self_attn": "attention", "multihead_attn": "cross_attention", "linear1": "dense1", "linear2": "dense2"}
    names |= {norm: norm for norm in ("norm1", "norm2", "norm3")}
    later = torch.ones(9, 9, dtype=torch.bool).triu(1)
    seen = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    expected = copied(ours, theirs, names)(x, memory, tgt_mask=later, memory_key_padding_mask=~seen)
    found = ours(x, memory, ~later[None, None], seen[:, None, None])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_whole_is_pytorchs():
    """What benchmarks/public_speed.py times beside ours computes the same."""
    arguments = {**find("transformer").small.arguments, "depth": 2, "dropout": 0.0}
    ours, theirs = transformer(depth=2), of_torch(**arguments).eval()
    theirs.embedding = ours.embedding
    for side in ("encoder", "decoder"):
        for layer, other in zip(getattr(ours, side), getattr(theirs.stacks, side).layers, strict=True):
            names = {"self_attn": "attention", "norm1": "norm1", "norm2": "norm2"}
            names |= {"linear1": "dense1", "linear2": "dense2"}
            if side == "decoder":
                names |= {"multihead_attn": "cross_attention", "norm3": "norm3"}
            copied(layer, other, names)
    source, target, _ = words()
    torch.testing.assert_close(theirs(source, target), ours(source, target), atol=1e-5, rtol=1e-4)


def test_the_base_model_has_the_papers_parts():
    twin = find("transformer")
    with torch.device("meta"):
        model = train.load_module(twin).Transformer(**twin.paper_size.arguments)
        theirs = nn.Transformer(batch_first=True)
    total, table = (sum(p.numel() for p in part.parameters()) for part in (model, model.embedding))
    assert (total, table) == (twin.paper_size.parameters, 37_000 * 512)
    two_last_norms = 2 * 2 * 512  # which PyTorch adds behind the stacks
    assert sum(p.numel() for p in theirs.parameters()) - two_last_norms == total - table == 44_138_496


def test_no_place_sees_what_comes_later():
    source, target, _ = words()
    other = target.clone()
    other[:, 4:] = 40
    logits, changed = transformer()(source, target), transformer()(source, other)
    torch.testing.assert_close(logits[:, :4], changed[:, :4])
    assert (logits[:, 4:] - changed[:, 4:]).abs().max() > 1e-2


def test_padding_changes_nothing():
    source, target, _ = words()
    longer = torch.cat([source, torch.zeros(5, 6, dtype=torch.long)], dim=1)
    torch.testing.assert_close(transformer()(source, target), transformer()(longer, target), atol=1e-5, rtol=1e-4)


def test_the_loss_smooths_labels_and_leaves_padding_out():
    source, target, y = words()
    logits = transformer(smoothing=0.1)(source, target)
    logs = log_softmax(logits.detach().double().numpy(), axis=-1)
    truth = 0.9 * np.eye(68)[y] + 0.1 / 68
    expected = -(logs * truth).sum(-1)[y.numpy() > 0].mean()
    assert transformer(smoothing=0.1).compute_loss(None, y, logits).item() == pytest.approx(expected, rel=1e-5)


def test_an_answer_is_what_is_given_one_place_later():
    part = data.load("pronunciations").train
    assert (part["target"][:, 0] == pronunciations.BEGIN).all()
    phones = np.where(part["y"] == pronunciations.END, 0, part["y"])
    np.testing.assert_array_equal(part["target"][:, 1:], phones[:, :-1])
    assert ((part["y"] == pronunciations.END).sum(1) == 1).all()
    assert part["source"].max() == 26
    assert phones.max() == 26 + 39


def test_no_word_is_in_both_parts():
    parts = pronunciations.load()
    train_words, test_words = (set(map(pronunciations.spelled, part["source"])) for part in (parts.train, parts.test))
    assert len(test_words) == 1200
    assert not train_words & test_words


def test_words_and_answers_are_spelled():
    assert pronunciations.spelled([3, 1, 20, 0, 0]) == "cat"
    cat = [26 + 1 + pronunciations.PHONES.index(phone) for phone in ("K", "AE", "T")]
    assert pronunciations.spelled([*cat, pronunciations.END, 30]) == "K AE T"


def test_a_phone_error_rate_is_that_of_the_models_own_answers():
    test = data.load("pronunciations", {"train_count": 8, "test_count": 6}).test
    right = dict(zip(map(bytes, test["source"]), test["y"], strict=True))

    def knows(inputs):
        """A model that answers right whatever it is told to have said."""
        return {"y": np.eye(68)[[right[bytes(row)] for row in inputs["source"]]]}

    assert metrics.phone_error_rate(knows, test) == 0
    silent = np.eye(68)[np.full((6, 9), pronunciations.END)]
    assert metrics.phone_error_rate(lambda inputs: {"y": silent[: len(inputs["source"])]}, test) == 1


def test_both_sides_refuse_a_token_out_of_range_in_the_same_line():
    twin = find("transformer")
    part = {name: rows[:4].copy() for name, rows in data.load("pronunciations").test.items()}
    part["source"][2, 0] = 68
    texts = []
    for side in (keras_train, train):
        run = side.build(twin, dict(twin.small.arguments))
        side.prepare(run, steps=1)
        for call in (side.predict, lambda run, part, fit=side.fit: fit(run, part, [np.arange(4)], print)):
            with pytest.raises(
                TwinError, match="source, row 2 has token 68 at place 0; tokens are from 0 to 67"
            ) as error:
                call(run, part)
            texts.append(str(error.value))
    assert len(set(texts)) == 1


def test_a_report_shows_where_the_decoder_looks():
    twin, test = find("transformer"), {name: rows[:8] for name, rows in data.load("pronunciations").test.items()}
    run = train.build(twin, dict(twin.small.arguments))
    given = []
    layer = run.model.eval().decoder[-1]
    layer.cross_attention.register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    _, values = train.activations(run, twin.inputs_of(test))
    shares = pictures.cross_attention(values, twin.small.arguments["heads"], test["source"] != 0)

    x, memory, seen = given[-1]
    theirs = copied(layer, nn.TransformerDecoderLayer(64, 4, 128), {"multihead_attn": "cross_attention"}).multihead_attn
    theirs.batch_first = True
    _, expected = theirs(x, memory, memory, key_padding_mask=~seen[:, 0, 0])
    np.testing.assert_allclose(shares, expected.detach(), atol=1e-6)

    answers = {"y": np.eye(68)[test["y"]], "attention": shares}
    made = pictures.of_predictions(twin, test, answers, pronunciations.spelled)
    assert made["labels"]["predicted"] == made["labels"]["true"] == [pronunciations.spelled(row) for row in test["y"]]
    picture = Image.open(io.BytesIO(base64.b64decode(made["pictures"][0]["png"])))
    looks = np.asarray(picture.convert("L"))[: 9 * 3, : 7 * 3][1::3, 1::3] / 255  # enlarged three times
    written = int((test["y"][0] != 0).sum())
    np.testing.assert_allclose(looks[:written], shares[0, :written] / shares[0, :written].max(), atol=0.05)
    assert looks[written:].max() < 0.05
