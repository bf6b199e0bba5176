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

import torch
from torch import nn


class GaussianNoise(nn.Module):  # differs: Keras ships this layer
    """Adds noise of the given standard deviation in training."""

    def __init__(self, stddev):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        """Any shape."""
        return x + self.stddev * torch.randn_like(x) if self.training else x


class DenoisingAutoencoder(nn.Module):
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
        self.gaussian_noise = GaussianNoise(noise_stddev)
        self.dropout = nn.Dropout(dropout)
        self.encoder1 = nn.Linear(num_pixels, hidden_dim)
        self.encoder2 = nn.Linear(hidden_dim, latent_dim)
        self.decoder1 = nn.Linear(latent_dim, hidden_dim)
        self.decoder2 = nn.Linear(hidden_dim, num_pixels)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, num_pixels) pictures, made noisy in training, to (B, num_pixels) clean ones."""
        x = self.gaussian_noise(x)
        x = self.dropout(x)
        x = torch.relu(self.encoder1(x))  # (B, hidden_dim)
        x = torch.relu(self.encoder2(x))  # (B, latent_dim)
        x = torch.relu(self.decoder1(x))  # (B, hidden_dim)
        return self.decoder2(x)
