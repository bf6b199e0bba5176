"""The gradients of a product and a sum, by hand beside automatic ones.

The graph multiplies x by y, combines the product with z, and adds everything up. By hand, the chain rule walks
back from c to b to a to the inputs; automatically, the framework records the forward pass and walks back itself.

Slides: deck A, "TORCH.AUTOGRAD", which prints b = a * z and then the gradients that belong to b = a + z, with
those of x and y exchanged. Both graphs are here; x, y and z are what the seed on the slide draws.
"""

import keras
from keras import ops

from keras_impl.backend import value_and_gradients


def run(x, y, z):
    """(3, 4) inputs to c and its three (3, 4) gradients, for each graph, by hand and automatically."""
    out = {}
    for graph, backward in ((product, product_backward), (total, total_backward)):
        c, gradients = automatic(graph, x, y, z)
        out[f"{graph.__name__}_c"] = c
        for name, by_hand, by_framework in zip("xyz", backward(x, y, z), gradients, strict=True):
            out[f"{graph.__name__}_{name}_by_hand"] = by_hand
            out[f"{graph.__name__}_{name}_automatic"] = by_framework
    return out


def product(x, y, z):
    """c = sum(x * y * z), the graph that the slide prints."""
    a = x * y
    b = a * z
    return ops.sum(b)


def total(x, y, z):
    """c = sum(x * y + z), the graph whose gradients the slide prints."""
    a = x * y
    b = a + z
    return ops.sum(b)


def product_backward(x, y, z):
    """The gradients of `product`, backwards along the graph: each factor gets the other one."""
    grad_b = ops.ones_like(x)
    grad_a = grad_b * z
    grad_z = grad_b * (x * y)
    grad_x = grad_a * y
    grad_y = grad_a * x
    return grad_x, grad_y, grad_z


def total_backward(x, y, z):
    """The gradients of `total`: a sum hands its gradient on unchanged."""
    grad_b = ops.ones_like(x)
    grad_a = grad_b
    grad_z = grad_b
    grad_x = grad_a * y
    grad_y = grad_a * x
    return grad_x, grad_y, grad_z


def automatic(graph, x, y, z):
    """c and its gradients, as the framework finds them."""
    leaves = [keras.Variable(value, dtype=value.dtype) for value in (x, y, z)]
    return value_and_gradients(lambda: graph(*leaves), leaves)
