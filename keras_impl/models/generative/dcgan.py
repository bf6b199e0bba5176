"""Deep convolutional GAN: both players are convolutions, and batch normalization keeps them in balance.

Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
networks" (2016), section 3 and figure 1. Strides take the place of pooling: the generator doubles height and width by
transposed convolutions, the discriminator halves them by convolutions. Batch normalization stands everywhere but at
the generator's output and the discriminator's input; the generator has ReLU and at its end tanh, the discriminator
leaky ReLU; weights are drawn from N(0, 0.02). The players' losses are those of the twin gan.

Departures: kernels of 4x4, as in PyTorch's DCGAN tutorial, in place of the 5x5 of figure 1: a stride that divides the
kernel covers every pixel equally often. The latent vectors are normal, not uniform. The discriminator, of which the
paper prints no widths, is the generator's mirror image.

Slides: deck D, "DCGAN", which replaces what is fully connected by convolutions. One matrix stays: the generator's
first layer, from a latent vector to maps of 4x4, written as a transposed convolution of a single pixel.
"""

from itertools import pairwise

import keras
from keras import layers, ops

from keras_impl.models.classification.resnet_style import batch_norm
from keras_impl.saving import serializable
from twin.shapes import doublings_from
from twin.spec import Phase


def convolution(in_channels, channels, stride=2):
    """A 4x4 convolution that halves height and width, or with a stride of 1 takes 4x4 to one pixel."""
    padding = "same" if stride == 2 else "valid"
    normal = keras.initializers.RandomNormal(stddev=0.02)  # differs: Keras takes initial values as an initializer
    return layers.Conv2D(
        channels, kernel_size=4, strides=stride, padding=padding, use_bias=False, kernel_initializer=normal
    )


def transposed(in_channels, channels, stride=2):
    """A 4x4 transposed convolution that doubles height and width, or with a stride of 1 takes one pixel to 4x4."""
    padding = "same" if stride == 2 else "valid"
    normal = keras.initializers.RandomNormal(stddev=0.02)  # differs: Keras takes initial values as an initializer
    return layers.Conv2DTranspose(
        channels, kernel_size=4, strides=stride, padding=padding, use_bias=False, kernel_initializer=normal
    )


class Generator(keras.Model):
    """Latent vectors to pictures: maps of 4x4, then half as many channels at each doubling of the side.

    Args:
        latent_dim: length of a latent vector.
        width: channels of the last layer before the picture.
        image_shape: height, width and channels; the sides equal, 8, 16, 32 and so on.
    """

    def __init__(self, latent_dim, width, image_shape):
        super().__init__()
        doublings = doublings_from(4, image_shape)
        widths = [latent_dim, *(width * 2**power for power in reversed(range(doublings)))]
        self.convs, self.norms = [], []
        for place, (before, after) in enumerate(pairwise(widths)):
            self.convs.append(transposed(before, after, stride=2 if place else 1))
            self.norms.append(batch_norm(after))
        self.to_picture = transposed(width, image_shape[-1])
        self(keras.Input((latent_dim,)))  # differs: Keras creates its weights when it first sees a shape

    def call(self, z, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, latent_dim) noise to (B, H, W, C) pictures in [-1, 1]."""
        x = z[:, None, None, :]  # (B, 1, 1, latent_dim)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = ops.relu(norm(conv(x), training=training))
        return ops.tanh(self.to_picture(x))


class Discriminator(keras.Model):
    """Pictures to the logit of being real: twice as many channels at each halving of the side, down to 4x4.

    Args:
        width: channels of the first layer.
        image_shape: height, width and channels; the sides equal, 8, 16, 32 and so on.
        slope: of the leaky ReLUs below 0.
    """

    def __init__(self, width, image_shape, slope):
        super().__init__()
        self.slope = slope
        halvings = doublings_from(4, image_shape)
        widths = [width * 2**power for power in range(halvings)]
        self.from_picture = convolution(image_shape[-1], width)
        self.convs, self.norms = [], []
        for before, after in pairwise(widths):
            self.convs.append(convolution(before, after))
            self.norms.append(batch_norm(after))
        self.to_logit = convolution(widths[-1], 1, stride=1)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) pictures to (B, 1) logits."""
        x = ops.leaky_relu(self.from_picture(x), negative_slope=self.slope)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = ops.leaky_relu(norm(conv(x), training=training), negative_slope=self.slope)
        return self.to_logit(x)[:, 0, 0, :]


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class DCGAN(keras.Model):
    """The two players. Called by itself, it generates.

    Args:
        latent_dim: length of a latent vector.
        width: channels next to the picture, in both.
        image_shape: height, width and channels; the sides equal, 8, 16, 32 and so on.
        slope: of the discriminator's leaky ReLUs below 0.
    """

    def __init__(self, latent_dim, width, image_shape, slope):
        super().__init__()
        self.generator = Generator(latent_dim, width, image_shape)
        self.discriminator = Discriminator(width, image_shape, slope)
        self(keras.Input((latent_dim,)))  # differs: Keras knows a model as built when it has seen a shape

    def call(self, z, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, latent_dim) noise to (B, H, W, C) pictures in [-1, 1]."""
        return self.generator(z, training=training)


def discriminator_loss(model, batch):
    """-E[log D(x)] - E[log(1 - D(G(z)))]; each kind of picture is normalized by its own batch's statistics."""
    generated = ops.stop_gradient(model.generator(batch["x"], training=True))  # differs: Keras takes the mode per call
    real_loss = -ops.log_sigmoid(model.discriminator(batch["real"], training=True))
    fake_loss = -ops.log_sigmoid(-model.discriminator(generated, training=True))
    return ops.mean(real_loss) + ops.mean(fake_loss)


def generator_loss(model, batch):
    """-E[log D(G(z))], by the discriminator that has just been updated."""
    generated = model.generator(batch["x"], training=True)  # differs: Keras takes the mode per call
    return -ops.mean(ops.log_sigmoid(model.discriminator(generated, training=True)))


PHASES = (Phase("discriminator", loss=discriminator_loss), Phase("generator", loss=generator_loss))
