"""Generative adversarial network: a generator learns to draw digits by deceiving a discriminator.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, "Generative adversarial nets"
(2014), sections 3 and 4. The generator turns noise into pictures; the discriminator tells them from real ones;
each step trains first the discriminator, then the generator against it. Where both have learned all they can, the
generated pictures are distributed as the real ones.

The discriminator maximises E[log D(x)] + E[log(1 - D(G(z)))]. The generator should minimise E[log(1 - D(G(z)))],
but maximises E[log D(G(z))] instead, as the paper advises in section 3: the fixed point is the same, and the
gradient does not vanish while the discriminator still wins. Departures: leaky ReLU in place of maxout and dropout
in the discriminator (slope 1/4, which float32 holds exactly: TensorFlow keeps a slope in float32 whatever the
dtype), and Adam, which came after the paper, with the small beta_1 of its successor DCGAN.

Slides: deck C, "GAN", where the two players' formulas have each other's name.
"""

import keras
from keras import layers, ops

from keras_impl.saving import serializable
from twin.spec import Phase


class Generator(keras.Model):
    """Latent vectors to pictures, by three dense layers.

    Args:
        latent_dim: length of a latent vector.
        hidden_dim: width of the hidden layers.
        num_pixels: number of pixels of a picture.
    """

    def __init__(self, latent_dim, hidden_dim, num_pixels):
        super().__init__()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(hidden_dim)
        self.dense3 = layers.Dense(num_pixels)
        self(keras.Input((latent_dim,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, z):
        """(B, latent_dim) noise to (B, num_pixels) pictures in [-1, 1]."""
        z = ops.relu(self.dense1(z))  # (B, hidden_dim)
        z = ops.relu(self.dense2(z))  # (B, hidden_dim)
        return ops.tanh(self.dense3(z))


class Discriminator(keras.Model):
    """Pictures to the logit of being real, by three dense layers.

    Args:
        hidden_dim: width of the hidden layers.
        num_pixels: number of pixels of a picture.
    """

    def __init__(self, hidden_dim, num_pixels):
        super().__init__()
        self.dense1 = layers.Dense(hidden_dim)
        self.dense2 = layers.Dense(hidden_dim)
        self.dense3 = layers.Dense(1)
        self(keras.Input((num_pixels,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x):
        """(B, num_pixels) pictures to (B, 1) logits."""
        x = ops.leaky_relu(self.dense1(x), negative_slope=0.25)  # (B, hidden_dim)
        x = ops.leaky_relu(self.dense2(x), negative_slope=0.25)  # (B, hidden_dim)
        return self.dense3(x)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class GAN(keras.Model):
    """The two players. Called by itself, it generates.

    Args:
        latent_dim: length of a latent vector.
        hidden_dim: width of the hidden layers of both.
        num_pixels: number of pixels of a picture.
    """

    def __init__(self, latent_dim, hidden_dim, num_pixels):
        super().__init__()
        self.generator = Generator(latent_dim, hidden_dim, num_pixels)
        self.discriminator = Discriminator(hidden_dim, num_pixels)
        self(keras.Input((latent_dim,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, z):
        """(B, latent_dim) noise to (B, num_pixels) pictures in [-1, 1]."""
        return self.generator(z)


def discriminator_loss(model, batch):
    """-E[log D(x)] - E[log(1 - D(G(z)))]; the generator is not trained here."""
    generated = ops.stop_gradient(model.generator(batch["x"]))
    # From logits, log D is log_sigmoid(logit) and log(1 - D) is log_sigmoid(-logit): neither can overflow.
    real_loss = -ops.log_sigmoid(model.discriminator(batch["real"]))
    fake_loss = -ops.log_sigmoid(-model.discriminator(generated))
    return ops.mean(real_loss) + ops.mean(fake_loss)


def generator_loss(model, batch):
    """-E[log D(G(z))], by the discriminator that has just been updated."""
    return -ops.mean(ops.log_sigmoid(model.discriminator(model.generator(batch["x"]))))


PHASES = (Phase("discriminator", loss=discriminator_loss), Phase("generator", loss=generator_loss))
