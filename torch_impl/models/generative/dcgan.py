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

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.models.classification.resnet_style import batch_norm
from twin.shapes import doublings_from
from twin.spec import Phase


def convolution(in_channels, channels, stride=2):
    """A 4x4 convolution that halves height and width, or with a stride of 1 takes 4x4 to one pixel."""
    padding = 1 if stride == 2 else 0
    conv = nn.Conv2d(in_channels, channels, kernel_size=4, stride=stride, padding=padding, bias=False)
    nn.init.normal_(conv.weight, std=0.02)  # differs: torch's layers draw first, and are drawn anew
    return conv


def transposed(in_channels, channels, stride=2):
    """A 4x4 transposed convolution that doubles height and width, or with a stride of 1 takes one pixel to 4x4."""
    padding = 1 if stride == 2 else 0
    conv = nn.ConvTranspose2d(in_channels, channels, kernel_size=4, stride=stride, padding=padding, bias=False)
    nn.init.normal_(conv.weight, std=0.02)  # differs: torch's layers draw first, and are drawn anew
    return conv


class Generator(nn.Module):
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
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for place, (before, after) in enumerate(pairwise(widths)):
            self.convs.append(transposed(before, after, stride=2 if place else 1))
            self.norms.append(batch_norm(after))
        self.to_picture = transposed(width, image_shape[-1])

    def forward(self, z):  # differs: the mode is the model's own, set by train() and eval()
        """(B, latent_dim) noise to (B, C, H, W) pictures in [-1, 1]."""
        x = z[:, :, None, None]  # (B, latent_dim, 1, 1)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.relu(norm(conv(x)))
        return torch.tanh(self.to_picture(x))


class Discriminator(nn.Module):
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
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for before, after in pairwise(widths):
            self.convs.append(convolution(before, after))
            self.norms.append(batch_norm(after))
        self.to_logit = convolution(widths[-1], 1, stride=1)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) pictures to (B, 1) logits."""
        x = F.leaky_relu(self.from_picture(x), negative_slope=self.slope)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), negative_slope=self.slope)
        return self.to_logit(x)[:, :, 0, 0]


class DCGAN(nn.Module):
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

    def forward(self, z):  # differs: the mode is the model's own, set by train() and eval()
        """(B, latent_dim) noise to (B, C, H, W) pictures in [-1, 1]."""
        return self.generator(z)


def discriminator_loss(model, batch):
    """-E[log D(x)] - E[log(1 - D(G(z)))]; each kind of picture is normalized by its own batch's statistics."""
    with torch.no_grad():  # differs: torch stops gradients by not recording
        generated = model.generator(batch["x"])
    real_loss = -F.logsigmoid(model.discriminator(batch["real"]))
    fake_loss = -F.logsigmoid(-model.discriminator(generated))
    return torch.mean(real_loss) + torch.mean(fake_loss)


def generator_loss(model, batch):
    """-E[log D(G(z))], by the discriminator that has just been updated."""
    generated = model.generator(batch["x"])
    return -torch.mean(F.logsigmoid(model.discriminator(generated)))


PHASES = (Phase("discriminator", loss=discriminator_loss), Phase("generator", loss=generator_loss))
