"""Restricted Boltzmann machine: a layer of hidden units learns what belongs together, without backpropagation.

Hinton, "Training products of experts by minimizing contrastive divergence" (2002), in the form of his
"A practical guide to training restricted Boltzmann machines" (2010), sections 2 and 3. Every pair of a visible
and a hidden unit has a coupling, and no two units of one layer have any, so that each layer can be drawn at once
given the other. Contrastive divergence makes the data more probable than the machine's own reconstruction of it:
what is on together in the data pulls a coupling up, what is on together in the reconstruction pulls it down.

Departures: as the guide allows (section 3.2), the reconstruction is the probabilities, not a sample of them, and
so is its hidden layer (3.3); the hidden layer of the data is sampled, as it must be. No weight decay.

Slides: deck C, "RBM", the building block of deep belief networks. The deck lets the energy fall because weights
are above zero; weights have either sign, and the energy falls where units that are on agree with it.
"""

import keras
from keras import ops

from twin.spec import Phase


class RBM(keras.Model):
    """Units that are 0 or 1, with P(visible, hidden) proportional to exp(-energy).

    Args:
        visible: number of visible units, one a pixel.
        hidden: number of hidden units.
    """

    def __init__(self, visible, hidden):
        super().__init__()
        small = keras.initializers.RandomNormal(stddev=0.01)  # differs: Keras takes initial values as an initializer
        self.coupling = self.add_weight(shape=(visible, hidden), initializer=small, name="coupling")
        self.hidden_bias = self.add_weight(shape=(hidden,), initializer="zeros", name="hidden_bias")
        self.visible_bias = self.add_weight(shape=(visible,), initializer="zeros", name="visible_bias")
        self(keras.Input((visible,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, x):
        """(B, visible) pictures to the probabilities (B, visible) of their reconstruction, up and down once."""
        return self.down(self.up(x))

    def up(self, visible):
        """(B, visible) states to the probabilities (B, hidden) that each hidden unit is on."""
        return ops.sigmoid(visible @ self.coupling + self.hidden_bias)

    def down(self, hidden):
        """(B, hidden) states to the probabilities (B, visible) that each visible unit is on."""
        return ops.sigmoid(hidden @ ops.transpose(self.coupling) + self.visible_bias)

    def energy(self, visible, hidden):
        """(B, visible) and (B, hidden) states to energies (B,): low where units that are on have couplings above 0."""
        agreement = ops.sum((visible @ self.coupling) * hidden, axis=-1)
        return -agreement - hidden @ self.hidden_bias - visible @ self.visible_bias


def contrastive_divergence(model, batch):
    """CD-1: the reconstruction error, and the update of every parameter as a gradient to descend.

    It is no gradient of this error, nor of any function (the practical guide, section 2): the error only shows
    how training goes. `hidden_uniform` (B, hidden) decides which hidden units are on.
    """
    data = batch["x"]
    data_hidden = model.up(data)
    sample = ops.cast(batch["hidden_uniform"] < data_hidden, data.dtype)
    reconstruction = model.down(sample)
    reconstruction_hidden = model.up(reconstruction)

    positive = ops.transpose(data) @ data_hidden  # (visible, hidden): how often both are on, in the data
    negative = ops.transpose(reconstruction) @ reconstruction_hidden  # and in the reconstruction
    gradients = {
        "coupling": (negative - positive) / len(data),
        "hidden_bias": ops.mean(reconstruction_hidden - data_hidden, axis=0),
        "visible_bias": ops.mean(reconstruction - data, axis=0),
    }
    return ops.mean((reconstruction - data) ** 2), gradients


PHASES = (Phase(trains="", gradients=contrastive_divergence),)
