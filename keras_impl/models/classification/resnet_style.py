"""ResNet style: pairs of convolutions that learn what to add to their input.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), section 4.2 and figure 2: the network
for CIFAR-10. A plain stack that is made deeper gets worse even on its training set, because its layers must first
learn to pass on what they were given. A residual block carries its input around two convolutions and adds it to
what they say, so that doing nothing is where it begins. With width 16 and three blocks in a stage this is ResNet-20.

Departures: none in the architecture. Where a stage halves the picture the shortcut takes every second pixel and
fills the new channels with zeros (option A), so that no shortcut has weights.

Slides: deck E, "ResNet style", the step after VGG. There one convolution stands beside the identity, and the two
together are only another convolution: a residual block needs an activation between two layers.
"""

import keras
from keras import layers

from keras_impl.saving import serializable
from twin.shapes import check_shapes


def convolution(in_channels, channels, kernel_size, stride):
    """A convolution without bias, since a BatchNorm follows, with He initialization."""
    return layers.Conv2D(
        channels,
        kernel_size,
        strides=stride,
        padding="same" if stride == 1 else "valid",  # differs: "same" with a stride pads unevenly
        use_bias=False,
        kernel_initializer="he_normal",  # differs: cut off at two standard deviations
    )


def batch_norm(channels):
    """A BatchNorm that keeps nine tenths of its running statistics at each step."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)  # differs: momentum is the share kept


class ResidualBlock(layers.Layer):
    """Two 3x3 convolutions, added to the input.

    Args:
        in_channels: channels of the input.
        channels: channels of the output, more than there come in where the stride is 2.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.stride = stride
        self.conv1 = convolution(in_channels, channels, kernel_size=3, stride=stride)
        self.bn1 = batch_norm(channels)
        self.conv2 = convolution(channels, channels, kernel_size=3, stride=1)
        self.bn2 = batch_norm(channels)
        self.new_channels = channels - in_channels

    def call(self, x):
        """(B, H, W, in_channels) to (B, H / stride, W / stride, channels)."""
        residual, shortcut = x, x
        if self.stride != 1:
            residual = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch's convolution pads itself
            shortcut = keras.ops.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, self.new_channels)))
        residual = keras.ops.relu(self.bn1(self.conv1(residual)))  # (B, H / stride, W / stride, channels)
        residual = self.bn2(self.conv2(residual))
        return keras.ops.relu(residual + shortcut)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ResNetStyle(keras.Model):
    """A 3x3 convolution, three stages of residual blocks, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels.
        width: channels of the first stage; each further stage doubles them and halves the picture.
        num_blocks: number of blocks in each stage.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, num_blocks, num_classes):
        check_shapes(image_shape, num_classes, smallest=1)
        super().__init__()
        self.conv1 = convolution(image_shape[-1], width, kernel_size=3, stride=1)
        self.bn1 = batch_norm(width)
        self.blocks = []
        channels = width
        for stage in range(3):
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(ResidualBlock(channels, width * 2**stage, stride))
                channels = width * 2**stage
        self.dense = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = keras.ops.relu(self.bn1(self.conv1(x), training=training))  # (B, H, W, width)
        for block in self.blocks:
            x = block(x, training=training)  # at last (B, H / 4, W / 4, 4 * width)
        x = keras.ops.mean(x, axis=(1, 2))  # (B, 4 * width)
        return self.dense(x)
