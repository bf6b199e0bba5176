"""A network of two layers, forward and backward in matrix formulas, beside automatic gradients.

Forward, the network makes its guess; backward, each formula is the transpose of its forward line, last line
first. At the end every parameter takes one step against its gradient, and the loss falls.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986), equations 4 to 7.
Departures: tanh instead of the logistic function, and the mean instead of half the sum of the squares.

Slides: deck A, "Forward Propagation" and "Backward Propagation", "Fast ai: Forward & Backward".
"""

import keras
from keras import ops

from keras_impl.backend import value_and_gradients

RATE = 0.5


def run(x, t, w1, b1, w2, b2):
    """(B, 3) inputs and (B, 2) targets, with (3, 4) and (4, 2) weights, to losses and gradients."""
    parameters = (w1, b1, w2, b2)
    y, by_hand = backward(x, t, *parameters)
    loss, automatic = differentiate(x, t, *parameters)
    stepped = [parameter - RATE * gradient for parameter, gradient in zip(parameters, by_hand, strict=True)]

    out = {"y": y, "loss": loss, "loss_after_step": mean_square(x, t, *stepped)}
    for name, hand, framework in zip(("w1", "b1", "w2", "b2"), by_hand, automatic, strict=True):
        out[f"{name}_by_hand"] = hand
        out[f"{name}_automatic"] = framework
    return out


def mean_square(x, t, w1, b1, w2, b2):
    """The loss: forward only."""
    h = ops.tanh(ops.matmul(x, w1) + b1)  # (B, 4)
    y = ops.matmul(h, w2) + b2  # (B, 2)
    return ops.mean((y - t) ** 2)


def backward(x, t, w1, b1, w2, b2):
    """The network's outputs, and the gradient of its loss by each parameter."""
    h = ops.tanh(ops.matmul(x, w1) + b1)  # (B, 4)
    y = ops.matmul(h, w2) + b2  # (B, 2)

    grad_y = 2 * (y - t) / (y.shape[0] * y.shape[1])  # (B, 2)
    grad_w2 = ops.matmul(ops.transpose(h), grad_y)  # (4, 2)
    grad_b2 = ops.sum(grad_y, 0)  # (2,)
    grad_h = ops.matmul(grad_y, ops.transpose(w2))  # (B, 4)
    grad_a = grad_h * (1 - h**2)  # (B, 4), because tanh has the derivative 1 - tanh^2
    grad_w1 = ops.matmul(ops.transpose(x), grad_a)  # (3, 4)
    grad_b1 = ops.sum(grad_a, 0)  # (4,)
    return y, (grad_w1, grad_b1, grad_w2, grad_b2)


def differentiate(x, t, *parameters):
    """The loss and its gradients, as the framework finds them."""
    leaves = [keras.Variable(parameter, dtype=parameter.dtype) for parameter in parameters]
    return value_and_gradients(lambda: mean_square(x, t, *leaves), leaves)
