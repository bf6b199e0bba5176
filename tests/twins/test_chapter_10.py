"""Language and vision, by numbers: BLEU, sentences as tokens, and what a caption may depend on."""

import math

import numpy as np
import pytest
import torch

from torch_impl import train
from twin import data, decoding
from twin.catalogue import find
from twin.data import captions
from twin.errors import TwinError
from twin.metrics import bleu, bleu_4


@pytest.fixture(scope="module")
def started():
    """A run of the small size, as it was drawn, in inference mode."""
    twin = find("image_caption")
    run = train.build(twin, dict(twin.small.arguments))
    run.model.eval()
    return run


@pytest.fixture(scope="module")
def scenes():
    return data.load("captions")


def tensors(run, rows, count=8):
    given = train.to_tensors(run, {name: array[:count] for name, array in rows.items()})
    return given["image"], given["tokens"]


# BLEU


def test_bleu_of_the_papers_example_counts_a_word_no_oftener_than_the_reference_has_it():
    seven = bleu_4([[1] * 7], [[1, 2, 3, 4, 1, 5, 6]])
    assert seven == 0  # 2 of 7 words are shared, and none of the pairs
    four = [[1, 2, 3, 4, 9]]
    assert bleu_4(four, [[1, 2, 3, 4, 5]]) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)
    assert bleu_4([[1, 2, 3, 4]], [[1, 2, 3, 4, 5]]) == pytest.approx(math.exp(1 - 5 / 4))
    assert bleu_4([[]], [[1, 2, 3, 4, 5]]) == 0


def test_true_captions_score_one_and_captions_of_other_scenes_chance(scenes):
    y = scenes.test["y"]

    def saying(said):
        """A model that says what it is to say, whatever it has said."""
        return lambda given: {"y": np.eye(len(captions.WORDS))[said]}

    assert bleu(saying(y), scenes.test) == pytest.approx(1)
    assert bleu(saying(np.roll(y, 1, axis=0)), scenes.test) == pytest.approx(
        find("image_caption").metric.chance, abs=0.02
    )


# Sentences


def test_sentences_and_tokens_are_the_same(scenes):
    for tokens in scenes.test["y"][:50]:
        sentence = captions.spelled(tokens)
        np.testing.assert_array_equal(captions.encoded([sentence])[0], tokens)
    assert len(np.unique(scenes.train["y"], axis=0)) == 100


def test_each_word_is_told_the_words_before_it(scenes):
    tokens, y = scenes.train["tokens"], scenes.train["y"]
    assert (tokens[:, 0] == captions.BEGIN).all()
    told = y[:, :-1] * (y[:, :-1] != captions.END)
    np.testing.assert_array_equal(tokens[:, 1:], told)


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("a small green three in the centre", "row 1: unknown word 'green'; the words are a, small"),
        ("a small <end>", "row 1: unknown word '<end>'"),
        ("a a a a a a a a a", "row 1: 9 words; at most 8 fit, one place is for the end"),
    ],
)
def test_a_sentence_that_cannot_be_said_is_one_line(sentence, says):
    with pytest.raises(TwinError, match="^" + says.replace("?", r"\?")) as error:
        captions.encoded(["a small dark one in the centre", sentence])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["small", "big", "dark", "bright"])
def test_the_scenes_show_what_the_sentences_say(scenes, word):
    image, said = scenes.train["image"][..., 0], np.isin(scenes.train["y"], captions.WORDS.index(word)).any(1)
    if word in captions.TONES:
        strongest = np.abs(image - 0.5).reshape(len(image), -1).argmax(1)
        extreme = image.reshape(len(image), -1)[np.arange(len(image)), strongest]
        assert ((extreme[said] > 0.5) == (word == "bright")).mean() > 0.95
    else:
        inked = (np.abs(image - 0.5) > 0.25).sum((1, 2))
        assert (inked[said].mean() > inked.mean()) == (word == "big")


# The model


def test_a_word_depends_on_the_picture_and_the_words_before_it_and_on_no_later_one(started, scenes):
    image, tokens = tensors(started, scenes.test)
    later = tokens.clone()
    later[:, 5:] = captions.WORDS.index("zero")
    with torch.no_grad():
        said, other = started.model(image, tokens), started.model(image, later)
        torch.testing.assert_close(said[:, :5], other[:, :5])
        assert (said[:, 5:] - other[:, 5:]).abs().max() > 1e-3
        assert (said - started.model(image.flip(0), tokens)).abs().amax((1, 2)).min() > 1e-4


def test_the_picture_is_read_once_as_if_it_were_the_word_before_the_first(started, scenes):
    image, tokens = tensors(started, scenes.test)
    model = started.model
    with torch.no_grad():
        _, state = model.lstm(model.encoder(image)[:, None])
        words = []
        for place in range(tokens.shape[1]):  # word by word, with the state carried along
            word = torch.nn.functional.one_hot(tokens[:, place : place + 1], len(captions.WORDS)).float()
            output, state = model.lstm(model.embedding(word), state)
            words.append(model.head(output))
        torch.testing.assert_close(torch.cat(words, dim=1), model(image, tokens))


def test_padding_has_no_part_in_the_loss(started, scenes):
    image, tokens = tensors(started, scenes.train, 64)
    y = torch.from_numpy(scenes.train["y"][:64]).long()
    logits = started.model(image, tokens).detach()
    short = y[:, 8] == captions.PAD
    assert short.any()
    changed = logits.clone()
    changed[short, 8] += torch.randn(21)
    loss, other = (started.model.compute_loss(None, y, each) for each in (logits, changed))
    torch.testing.assert_close(loss, other)
    by_hand = [-torch.log_softmax(logits[row, place], -1)[y[row, place]] for row, place in (y != 0).nonzero().tolist()]
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())


def test_a_beam_says_nothing_less_likely_than_greed(started, scenes):
    def following(tokens, rows):
        return train.predict(started, {"image": scenes.test["image"][rows], "tokens": tokens})["y"]

    how = {"rows": 12, "length": captions.LENGTH, "begin": captions.BEGIN, "end": captions.END}
    (_, wide), (_, greedy) = (decoding.beam(following, width=width, **how) for width in (5, 1))
    assert (wide[:, 0] >= greedy[:, 0] - 1e-4).all()
