"""The gradients of Q = 3a^3 - b^2, by hand beside automatic ones.

Q has one value per pair (a, b), and each depends on its own pair only, so that differentiating the sum of Q
gives 9a^2 and -2b element by element.

Slides: deck A, "Differentiation in Autograd"; a and b are those of the PyTorch tutorial that it links.
"""

import keras
from keras import ops

from keras_impl.backend import value_and_gradients


def run(a, b):
    """(N,) inputs to Q and its gradients by a and b, each (N,), by hand and automatically."""
    a_by_hand = 9 * a**2
    b_by_hand = -2 * b

    leaves = [keras.Variable(a, dtype=a.dtype), keras.Variable(b, dtype=b.dtype)]
    _, (a_automatic, b_automatic) = value_and_gradients(lambda: ops.sum(polynomial(*leaves)), leaves)

    return {
        "q": polynomial(a, b),
        "a_by_hand": a_by_hand,
        "a_automatic": a_automatic,
        "b_by_hand": b_by_hand,
        "b_automatic": b_automatic,
    }


def polynomial(a, b):
    """Q, the error of a network whose parameters are a and b."""
    return 3 * a**3 - b**2
