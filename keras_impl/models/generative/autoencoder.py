"""Autoencoder: a network gives back the picture that it sees, through a layer too narrow to copy it.

Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks" (2006), figure 1. The encoder
maps a picture to a short code, the decoder maps the code to the picture. With linear layers and the squared error the
best code is what principal component analysis finds; with nonlinear layers a code of the same length says more.

Departures: the layers are not pre-trained one by one as restricted Boltzmann machines (the twins rbm and dbn), which
was needed before better initial weights and Adam; the squared error in place of the cross-entropy.

Slides: deck C, "Autoencoder". The deck calls it a generative model. It has no distribution of codes to draw from:
codes drawn at random decode to pictures unlike the data.
"""

import keras
from keras import layers, ops

from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class Autoencoder(keras.Model):
    """A dense encoder and a dense decoder with the same widths in the opposite order.

    Args:
        num_pixels: width of the flat picture.
        hidden_dims: widths of the encoder's layers before the code.
        latent_dim: width of the code.
    """

    def __init__(self, num_pixels, hidden_dims, latent_dim):
        super().__init__()
        self.encoder = [layers.Dense(width) for width in (*hidden_dims, latent_dim)]
        self.decoder = [layers.Dense(width) for width in (*hidden_dims[::-1], num_pixels)]
        self(keras.Input((num_pixels,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, num_pixels) pictures in [0, 1] to their reconstructions (B, num_pixels)."""
        return self.decode(self.encode(x))

    def encode(self, x):
        """(B, num_pixels) pictures to (B, latent_dim) codes; the last layer is linear, as in the paper."""
        for layer in self.encoder[:-1]:
            x = ops.sigmoid(layer(x))
        return self.encoder[-1](x)

    def decode(self, code):
        """(B, latent_dim) codes to (B, num_pixels) pictures in [0, 1]."""
        for layer in self.decoder:
            code = ops.sigmoid(layer(code))
        return code
