"""A denoising autoencoder: it gets a noisy picture and learns to return the clean one.

Vincent, Larochelle, Bengio and Manzagol, "Extracting and composing robust features with denoising autoencoders"
(2008), section 2.3, sets pixels to zero; the same authors with Lajoie (2010), section 3.3, add Gaussian noise to the
choice. A plain autoencoder may learn to copy; here a copy is wrong, so that it has to learn which pixels go together.
The noise is drawn anew at every step and is part of the network: in inference mode there is none.

Departures: both noises are there, one after the other, and either is off at 0; dropout also divides the pixels that it
keeps by 1 - rate; encoder and decoder have a layer more, and weights of their own; the output is linear, with the
squared error.

Slides: deck C, the denoising autoencoder with Gaussian noise and the one with dropout.
"""

import keras
from keras import layers

from keras_impl.saving import serializable


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DenoisingAutoencoder(keras.Model):
    """Two noises, a dense encoder and a dense decoder.

    Args:
        num_pixels: width of the flat picture.
        hidden_dim: width of the layer before the code and of the one after it.
        latent_dim: width of the code.
        noise_stddev: standard deviation of the Gaussian noise in training.
        dropout: share of the pixels that are set to 0 in training.
    """

    def __init__(self, num_pixels, hidden_dim, latent_dim, noise_stddev, dropout):
        super().__init__()
        self.gaussian_noise = layers.GaussianNoise(noise_stddev)
        self.dropout = layers.Dropout(dropout)
        self.encoder1 = layers.Dense(hidden_dim)
        self.encoder2 = layers.Dense(latent_dim)
        self.decoder1 = layers.Dense(hidden_dim)
        self.decoder2 = layers.Dense(num_pixels)
        self(keras.Input((num_pixels,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, num_pixels) pictures, made noisy in training, to (B, num_pixels) clean ones."""
        x = self.gaussian_noise(x, training=training)
        x = self.dropout(x, training=training)
        x = keras.ops.relu(self.encoder1(x))  # (B, hidden_dim)
        x = keras.ops.relu(self.encoder2(x))  # (B, latent_dim)
        x = keras.ops.relu(self.decoder1(x))  # (B, hidden_dim)
        return self.decoder2(x)
