"""Writing a sequence token by token, with a model that says what may come next; in NumPy, the same for both sides.

`following(target, rows)` is the model: (M, T) tokens written so far, the first of them the one that begins each answer,
and which row (M,) each is an answer to; it gives logits (M, T, tokens), at each place for the token that comes next.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import log_softmax

Following = Callable[[np.ndarray, np.ndarray], np.ndarray]


def greedy(following: Following, rows: int, length: int, begin: int, end: int) -> np.ndarray:
    """Answers (rows, length) that take the likeliest token at each place; 0 behind `end`."""
    return beam(following, rows, length, begin, end, width=1)[0][:, 0]


def beam(
    following: Following, rows: int, length: int, begin: int, end: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best answers that were found by keeping, at each place, the `width` likeliest beginnings.

    Args:
        following: the model.
        rows: how many questions there are.
        length: of an answer at most, `end` included.
        begin: the token before every answer.
        end: the token that ends one.
        width: beginnings that are kept of each row.

    Returns:
        (rows, width, length) answers, 0 behind `end`, the likeliest first, and the logarithms (rows, width) of their
        probabilities.
    """
    answers = np.zeros((rows, width, length), np.int32)
    scores = np.full((rows, width), -np.inf)
    scores[:, 0] = 0  # one empty beginning
    done = np.zeros((rows, width), bool)
    row = np.arange(rows)[:, None]
    for place in range(length):
        target = np.concatenate([np.full((rows, width, 1), begin, np.int32), answers[..., :-1]], axis=-1)
        logits = following(target.reshape(-1, length), np.repeat(np.arange(rows), width))[:, place]
        logs = log_softmax(logits.astype(np.float64), axis=-1).reshape(rows, width, -1)
        logs[..., 0] = -np.inf  # padding is no answer
        tokens = logs.shape[-1]
        over = np.full(tokens, -np.inf)
        over[0] = 0  # what has ended stays as it is
        sums = scores[..., None] + np.where(done[..., None], over, logs)
        best = np.argsort(-sums.reshape(rows, -1), axis=-1, kind="stable")[:, :width]
        scores = np.take_along_axis(sums.reshape(rows, -1), best, axis=-1)
        kept, token = best // tokens, best % tokens
        answers, done = answers[row, kept], done[row, kept]
        answers[..., place] = token
        done |= token == end
    return answers, scores
