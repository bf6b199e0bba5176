"""Restricted Boltzmann machine: a layer of hidden units learns what belongs together, without backpropagation.

Hinton, "Training products of experts by minimizing contrastive divergence" (2002), in the form of his
"A practical guide to training restricted Boltzmann machines" (2010), sections 2 and 3. Every pair of a visible
and a hidden unit has a weight, and no two units of one layer have any, so that each layer can be drawn at once
given the other. Contrastive divergence makes the data more probable than the machine's own reconstruction of it:
what is on together in the data raises a weight, what is on together in the reconstruction lowers it.

Departures: as the guide allows (section 3.2), the reconstruction is the probabilities, not a sample of them, and
so is its hidden layer (3.3); the hidden layer of the data is sampled, as it must be. No weight decay.

Slides: deck C, "RBM", the building block of deep belief networks. The deck lets the energy fall because weights
are above zero; weights have either sign, and the energy falls where units that are on agree with it.
"""

import keras
from keras import ops

from keras_impl.saving import serializable
from twin.spec import Phase


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class RBM(keras.Model):
    """Units that are 0 or 1, with P(visible, hidden) proportional to exp(-energy).

    Args:
        num_visible: number of visible units, one a pixel.
        num_hidden: number of hidden units.
    """

    def __init__(self, num_visible, num_hidden):
        super().__init__()
        small = keras.initializers.RandomNormal(stddev=0.01)  # differs: Keras takes initial values as an initializer
        self.weight = self.add_weight(shape=(num_visible, num_hidden), initializer=small, name="weight")
        self.hidden_bias = self.add_weight(shape=(num_hidden,), initializer="zeros", name="hidden_bias")
        self.visible_bias = self.add_weight(shape=(num_visible,), initializer="zeros", name="visible_bias")
        self(keras.Input((num_visible,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, num_visible) pictures to the probabilities (B, num_visible) of their reconstruction, up and down once."""
        return self.visible_probs(self.hidden_probs(x))

    def hidden_probs(self, visible):
        """(B, num_visible) states to the probabilities (B, num_hidden) that each hidden unit is on."""
        return ops.sigmoid(visible @ self.weight + self.hidden_bias)

    def visible_probs(self, hidden):
        """(B, num_hidden) states to the probabilities (B, num_visible) that each visible unit is on."""
        return ops.sigmoid(hidden @ ops.transpose(self.weight) + self.visible_bias)

    def energy(self, visible, hidden):
        """(B, num_visible) and (B, num_hidden) states to energies (B,), low where positive weights join them."""
        agreement = ops.sum((visible @ self.weight) * hidden, axis=-1)
        return -agreement - hidden @ self.hidden_bias - visible @ self.visible_bias


def contrastive_divergence(model, batch):
    """CD-1: the reconstruction error, and the update of every parameter as a gradient to descend.

    It is no gradient of this error, nor of any function (the practical guide, section 2): the error only shows
    how training goes. `hidden_uniform` (B, num_hidden) decides which hidden units are on.
    """
    data = batch["x"]
    data_hidden = model.hidden_probs(data)
    sample = ops.cast(batch["hidden_uniform"] < data_hidden, data.dtype)
    reconstruction = model.visible_probs(sample)
    reconstruction_hidden = model.hidden_probs(reconstruction)

    positive = ops.transpose(data) @ data_hidden  # (num_visible, num_hidden): how often both are on, in the data
    negative = ops.transpose(reconstruction) @ reconstruction_hidden  # and in the reconstruction
    gradients = {
        "weight": (negative - positive) / len(data),
        "hidden_bias": ops.mean(reconstruction_hidden - data_hidden, axis=0),
        "visible_bias": ops.mean(reconstruction - data, axis=0),
    }
    return ops.mean((reconstruction - data) ** 2), gradients


PHASES = (Phase(trains="", gradients=contrastive_divergence),)
