"""Deep belief network: restricted Boltzmann machines, each trained on the output of the one below.

Hinton, Osindero and Teh, "A fast learning algorithm for deep belief nets" (2006), sections 4 and 6 and figure 1;
as an autoencoder and as a classifier, Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural
networks" (2006). With small random weights, hardly any gradient passes through many sigmoids to the lowest layer.
Here the layers learn first, without labels: contrastive divergence trains the lowest machine on the pictures, the
next on the probabilities of its hidden units, and so on to the top. With an output layer on top the whole is then
a network of sigmoids that starts from weights which already describe the pictures.

Departures: the labels are not joined to the units below the top machine, and the up-down algorithm is left out: the
fine-tuning is backpropagation of the cross-entropy, as in the second paper, by stochastic gradient descent.

Slides: deck C, "Deep neural network" and "Deep belief network": from the bottom up, as an autoencoder or a classifier.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_impl import train
from keras_impl.models.generative.rbm import RBM, contrastive_divergence
from keras_impl.saving import serializable
from twin import data
from twin.spec import Phase


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DBN(keras.Model):
    """Three machines and an output layer.

    Args:
        num_visible: number of pixels.
        hidden1, hidden2, hidden3: hidden units of the machines, from the bottom up.
        num_classes: width of the output.
    """

    def __init__(self, num_visible, hidden1, hidden2, hidden3, num_classes):
        super().__init__()
        self.rbm1 = RBM(num_visible, hidden1)
        self.rbm2 = RBM(hidden1, hidden2)
        self.rbm3 = RBM(hidden2, hidden3)
        self.head = layers.Dense(num_classes)
        self(keras.Input((num_visible,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, num_visible) pictures to (B, num_classes) logits."""
        return self.head(self.encode(x))

    def encode(self, x):
        """(B, num_visible) pictures to the probabilities (B, hidden3) of the top units."""
        return self.rbm3.hidden_probs(self.rbm2.hidden_probs(self.rbm1.hidden_probs(x)))

    def decode(self, code):
        """(B, hidden3) states of the top units to the probabilities (B, num_visible) of the pixels."""
        return self.rbm1.visible_probs(self.rbm2.visible_probs(self.rbm3.visible_probs(code)))


def divergence1(model, batch):
    """CD-1 of the first machine, on the pictures; `uniform1` (B, hidden1) decides which of its units are on."""
    return divergence(model, "rbm1", batch["x"], batch["uniform1"])


def divergence2(model, batch):
    """CD-1 of the second machine, on the probabilities of the first one's hidden units."""
    return divergence(model, "rbm2", model.rbm1.hidden_probs(batch["x"]), batch["uniform2"])


def divergence3(model, batch):
    """CD-1 of the third machine, on the probabilities of the second one's hidden units."""
    return divergence(model, "rbm3", model.rbm2.hidden_probs(model.rbm1.hidden_probs(batch["x"])), batch["uniform3"])


def divergence(model, name, rows, uniform):
    """The reconstruction error of the machine of that name, and the update of its parameters."""
    error, gradients = contrastive_divergence(getattr(model, name), {"x": rows, "hidden_uniform": uniform})
    return error, {f"{name}.{parameter}": gradient for parameter, gradient in gradients.items()}


def classification_loss(model, batch):
    """Cross-entropy on the labels, for all layers; what leads down has no part in it."""
    # differs: Keras's function gives a loss per row
    return ops.mean(keras.losses.sparse_categorical_crossentropy(batch["y"], model(batch["x"]), from_logits=True))


PHASES = (
    Phase("rbm1", gradients=divergence1),
    Phase("rbm2", gradients=divergence2),
    Phase("rbm3", gradients=divergence3),
    Phase("", loss=classification_loss),
)


def fit(run, epochs, report):
    """Phase by phase: a sixth of the epochs for each machine, from the bottom up, and the rest for all layers."""
    rows = data.load(run.twin.data, run.twin.data_options).train
    rng = np.random.default_rng(run.seed)
    orders = {epoch: rng.permutation(len(rows["x"])) for epoch in range(epochs)}
    each, first = epochs // 6, 0
    for phase, last in zip(run.phases, (each, 2 * each, 3 * each, epochs), strict=True):
        train.fit_phase(run, phase, rows, {epoch: orders[epoch] for epoch in range(first, last)}, report)
        first = last
