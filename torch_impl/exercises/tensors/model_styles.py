"""One network in every style that a framework offers: a list, functions, a class; the same weights, the same outputs.

A sequential model is a list of layers that run one after the other. A class says in Python what happens, so it can do
anything. Both frameworks call a third style functional, but mean different things. In Keras it is a graph of layers,
built once with a placeholder for the data, whose layers own their weights. In PyTorch (`torch.nn.functional`,
`torch.func`) it is a function that owns nothing and gets its weights as arguments. PyTorch has no counterpart to the
first; Keras's counterpart to the second is `stateless_call`, by which it trains on JAX.

Chollet, "Keras: the Python deep learning API" (2015), the guides to the sequential, functional and subclassing styles;
Paszke et al., "PyTorch: an imperative style, high-performance deep learning library" (2019), section 4.1.

Slides: deck E, "Load Model": the subclass; its later pages put sequential models inside.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Network(nn.Module):
    """The subclass: layers in the constructor, what happens to the data in a method.

    Args:
        width: of the input.
        hidden: units of the first layer.
        outputs: width of the output.
    """

    def __init__(self, width, hidden, outputs):
        super().__init__()
        self.dense1 = nn.Linear(width, hidden)
        self.dense2 = nn.Linear(hidden, outputs)

    def forward(self, x):
        """(B, width) to (B, outputs)."""
        return self.dense2(torch.tanh(self.dense1(x)))


def run(x, w1, b1, w2, b2):
    """(B, 3) inputs, with (3, 4) and (4, 2) weights, to the (B, 2) outputs of each style."""
    weights = (w1, b1, w2, b2)
    return {style.__name__: style(x, *weights) for style in (sequential, functional, subclass, stateless)}


def sequential(x, w1, b1, w2, b2):
    """The list."""
    width, hidden, outputs = (*w1.shape, w2.shape[1])
    model = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, outputs)).to(x.dtype)
    give(model, w1, b1, w2, b2)
    return model(x)


def functional(x, w1, b1, w2, b2):
    """What the framework calls functional: in Keras a graph of layers, in PyTorch functions of weights and data."""
    units = torch.tanh(F.linear(x, w1.T, b1))
    return F.linear(units, w2.T, b2)


def subclass(x, w1, b1, w2, b2):
    """The class."""
    model = Network(*w1.shape, w2.shape[1]).to(x.dtype)
    give(model, w1, b1, w2, b2)
    return model(x)


def stateless(x, w1, b1, w2, b2):
    """The class as a function of weights and data: what the model itself owns is neither read nor set."""
    model = Network(*w1.shape, w2.shape[1])
    # differs: torch takes weights by name, (out, in)
    weights = {"dense1.weight": w1.T, "dense1.bias": b1, "dense2.weight": w2.T, "dense2.bias": b2}
    return torch.func.functional_call(model, weights, x)


def give(model, w1, b1, w2, b2):
    """Set a model's weights, (in, out) as Keras keeps them."""
    with torch.no_grad():  # differs: torch would record the copying
        for parameter, weight in zip(model.parameters(), (w1.T, b1, w2.T, b2), strict=True):
            parameter.copy_(weight)
