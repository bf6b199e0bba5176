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

import keras
from keras import layers, ops


class Network(keras.Model):
    """The subclass: layers in the constructor, what happens to the data in a method.

    Args:
        width: of the input.
        hidden: units of the first layer.
        outputs: width of the output.
    """

    def __init__(self, width, hidden, outputs):
        super().__init__()
        self.dense1 = layers.Dense(hidden)
        self.dense2 = layers.Dense(outputs)
        self(keras.Input((width,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, width) to (B, outputs)."""
        return self.dense2(ops.tanh(self.dense1(x)))


def run(x, w1, b1, w2, b2):
    """(B, 3) inputs, with (3, 4) and (4, 2) weights, to the (B, 2) outputs of each style."""
    weights = (w1, b1, w2, b2)
    return {style.__name__: style(x, *weights) for style in (sequential, functional, subclass, stateless)}


def sequential(x, w1, b1, w2, b2):
    """The list."""
    width, hidden, outputs = (*w1.shape, w2.shape[1])
    model = keras.Sequential([keras.Input((width,)), layers.Dense(hidden, activation="tanh"), layers.Dense(outputs)])
    give(model, w1, b1, w2, b2)
    return model(x)


def functional(x, w1, b1, w2, b2):
    """What the framework calls functional: in Keras a graph of layers, in PyTorch functions of weights and data."""
    width, hidden, outputs = (*w1.shape, w2.shape[1])  # differs: Keras's graph is built before there is data
    inputs = keras.Input((width,))
    units = layers.Dense(hidden, activation="tanh")(inputs)
    model = keras.Model(inputs, layers.Dense(outputs)(units))  # differs: Keras's graph of layers becomes a model
    give(model, w1, b1, w2, b2)
    return model(x)


def subclass(x, w1, b1, w2, b2):
    """The class."""
    model = Network(*w1.shape, w2.shape[1])
    give(model, w1, b1, w2, b2)
    return model(x)


def stateless(x, w1, b1, w2, b2):
    """The class as a function of weights and data: what the model itself owns is neither read nor set."""
    model = Network(*w1.shape, w2.shape[1])
    # differs: Keras takes weights in order and returns the state too
    outputs, _ = model.stateless_call([w1, b1, w2, b2], [], x)
    return outputs


def give(model, w1, b1, w2, b2):
    """Set a model's weights, (in, out) as Keras keeps them."""
    for variable, weight in zip(model.trainable_variables, (w1, b1, w2, b2), strict=True):
        variable.assign(weight)
