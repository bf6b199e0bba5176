"""Squeeze and excitation: a network that turns its own channels up and down, picture by picture.

Hu, Shen and Sun, "Squeeze-and-excitation networks" (2018), section 3 and figure 3. A convolution mixes channels by
weights that are the same for every picture. Here each channel is squeezed to its mean over the picture; two dense
layers, narrow in between, read all the means and answer with a gate for each channel, from 0 to 1; and the
channels are multiplied by their gates. In a residual block this happens before the sum. With stages (3, 4, 6, 3)
and width 64 this is SE-ResNet-50, with 2.5 million parameters more than ResNet-50.

Departures: none in the architecture. The dense layers have no biases, as the authors recommend for ResNets
(section 6.1 of their journal version of 2020).

Slides: deck E, "SEBlock": squeeze takes the value that stands for a whole filter, excitation stresses several at once.
"""

import keras
from keras import layers

from keras_impl.models.classification.resnet import EXPANSION, Bottleneck, ResNet
from keras_impl.saving import serializable

REDUCTION = 16  # a gate's two dense layers are that much narrower in between (section 6.4)


class SqueezeExcite(layers.Layer):
    """A gate for each channel, from the means of all.

    Args:
        channels: channels of the input.
        squeeze_channels: width between the two dense layers.
        activation: what follows the first dense layer.
        use_bias: whether the dense layers have biases.
    """

    def __init__(self, channels, squeeze_channels, activation, use_bias):
        super().__init__()
        self.dense1 = layers.Dense(squeeze_channels, use_bias=use_bias)
        self.activation = activation
        self.dense2 = layers.Dense(channels, use_bias=use_bias)

    def call(self, x):
        """(B, H, W, C) to (B, H, W, C)."""
        gate = keras.ops.mean(x, axis=(1, 2))  # (B, C)
        gate = self.activation(self.dense1(gate))  # (B, squeeze_channels)
        gate = keras.ops.sigmoid(self.dense2(gate))  # (B, C)
        return x * gate[:, None, None, :]


class SEBottleneck(Bottleneck):
    """A bottleneck whose residual is gated.

    Args:
        in_channels: channels of the input.
        width: channels of the first two convolutions.
        strides: of the first two convolutions; one of them is 2 where height and width are halved.
    """

    def __init__(self, in_channels, width, strides):
        super().__init__(in_channels, width, strides)
        channels = EXPANSION * width
        self.se = SqueezeExcite(channels, max(1, channels // REDUCTION), activation=keras.ops.relu, use_bias=False)

    def residual(self, x):
        """What is added to the shortcut."""
        return self.se(super().residual(x))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class SEResNet(ResNet):
    """ResNet, built of gated bottlenecks."""

    block = SEBottleneck
