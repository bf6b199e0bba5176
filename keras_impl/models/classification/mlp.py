"""A multi-layer perceptron: the plainest deep network, every unit joined to every unit of the next layer.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986). Each layer is a
linear map and an activation; without activations, the layers together would be a single linear map. The
network knows nothing of pictures: it gets the pixels as one row, and the same shuffle of all rows changes nothing.

Departures: ReLU instead of the logistic function and cross-entropy instead of squared errors, as is usual today.

Slides: deck B, a picture recognized by a dense network before the convolutions come; deck E, where a network is
called deep once it has two hidden layers.
"""

import keras
from keras import layers

from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class MLP(keras.Model):
    """Two hidden layers of equal width, and a linear output.

    Args:
        num_features: length of an input row.
        hidden_dim: units in each hidden layer.
        num_classes: width of the output.
    """

    def __init__(self, num_features, hidden_dim, num_classes):
        super().__init__()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(hidden_dim)
        self.dense3 = layers.Dense(num_classes)
        self(keras.Input((num_features,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, num_features) rows to (B, num_classes) logits."""
        x = keras.ops.relu(self.dense1(x))  # (B, hidden_dim)
        x = keras.ops.relu(self.dense2(x))  # (B, hidden_dim)
        return self.dense3(x)
