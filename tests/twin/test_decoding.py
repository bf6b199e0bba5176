"""Writing token by token: the greedy answer, and a beam that finds what greed misses."""

from itertools import product

import numpy as np
from scipy.special import log_softmax

from twin import decoding

BEGIN, END, TOKENS, LENGTH = 4, 5, 6, 4


def random_model(seed):
    """Logits that depend on the row and on all that was written before the place."""

    def following(target, rows):
        logits = np.zeros((*target.shape, TOKENS))
        for m, (written, row) in enumerate(zip(target, rows, strict=True)):
            for place in range(target.shape[1]):
                rng = np.random.default_rng([seed, row, *written[: place + 1]])
                logits[m, place] = 2 * rng.standard_normal(TOKENS)
        return logits

    return following


def probability(following, row, answer):
    """The logarithm of an answer's probability, up to its end."""
    target = np.array([[BEGIN, *answer[:-1]]])
    logs = log_softmax(following(target, np.array([row]))[0], axis=-1)
    told = list(answer).index(END) + 1 if END in answer else len(answer)
    return sum(logs[place, token] for place, token in enumerate(answer[:told]))


def every_answer():
    """All answers of at most LENGTH tokens, zeros behind the end."""
    for answer in product(range(1, TOKENS), repeat=LENGTH):
        ends = answer.index(END) + 1 if END in answer else LENGTH
        yield (*answer[:ends], *[0] * (LENGTH - ends))


def test_the_greedy_answer_takes_the_likeliest_token_at_each_place():
    following = random_model(0)
    for row, answer in enumerate(decoding.greedy(following, 5, LENGTH, BEGIN, END)):
        written = [BEGIN]
        for token in answer[: list(answer).index(END) + 1 if END in answer else LENGTH]:
            padded = np.array([written + [0] * (LENGTH - len(written))])
            assert token == 1 + following(padded, np.array([row]))[0, len(written) - 1, 1:].argmax()
            written.append(token)


def test_a_beam_as_wide_as_all_beginnings_finds_the_best_answers():
    following = random_model(1)
    answers, scores = decoding.beam(following, 3, LENGTH, BEGIN, END, width=200)
    for row in range(3):
        expected = sorted(((probability(following, row, a), a) for a in set(every_answer())), reverse=True)[:5]
        assert [tuple(answer) for answer in answers[row, :5]] == [answer for _, answer in expected]
        np.testing.assert_allclose(scores[row, :5], [score for score, _ in expected])


def test_a_beam_finds_what_greed_misses():
    following = random_model(2)
    _, scores = decoding.beam(following, 40, LENGTH, BEGIN, END, width=8)
    greedy = decoding.greedy(following, 40, LENGTH, BEGIN, END)
    greedy_scores = [probability(following, row, tuple(answer)) for row, answer in enumerate(greedy)]
    assert (scores[:, 0] >= np.array(greedy_scores) - 1e-9).mean() > 0.9
    assert (scores[:, 0] > np.array(greedy_scores) + 1e-9).any()
