"""ResNet: layers that learn what to add to their input, so that a hundred of them still train.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), table 1 and section 3.3, with the
bottleneck of figure 5. A block computes a residual, and a shortcut carries its input around it: a block that
has nothing to say passes its input on, and the gradient reaches every block undamped. In a bottleneck a 1x1
convolution narrows the channels, the 3x3 one works on few of them, and a 1x1 widens them again. With stages
(3, 4, 6, 3) and width 64 this is ResNet-50.

Departures: none in the architecture. The stride of a stage is in its first 1x1 convolution, as in the paper and
on the slides; `resnet50` moves it into the 3x3 one.

Slides: deck D, "Bottleneck". There the shapes are compared with `is not`, which holds for any two objects, so that
every shortcut goes through a convolution. Here a shortcut is the identity wherever the shapes agree.
"""

import keras
from keras import layers

from keras_impl.models.classification.resnet_style import batch_norm, convolution
from keras_impl.saving import serializable
from twin.shapes import check_shapes

EXPANSION = 4  # the last convolution of a block has four times the channels of the others (table 1)


class Bottleneck(layers.Layer):
    """1x1, 3x3 and 1x1 convolutions, added to the input.

    Args:
        in_channels: channels of the input.
        width: channels of the first two convolutions.
        strides: of the first two convolutions; one of them is 2 where height and width are halved.
    """

    def __init__(self, in_channels, width, strides):
        super().__init__()
        self.strides = strides
        self.conv1 = convolution(in_channels, width, kernel_size=1, stride=strides[0])
        self.bn1 = batch_norm(width)
        self.conv2 = convolution(width, width, kernel_size=3, stride=strides[1])
        self.bn2 = batch_norm(width)
        self.conv3 = convolution(width, EXPANSION * width, kernel_size=1, stride=1)
        self.bn3 = batch_norm(EXPANSION * width)
        self.has_projection = strides != (1, 1) or in_channels != EXPANSION * width
        if self.has_projection:
            self.shortcut_conv = convolution(in_channels, EXPANSION * width, kernel_size=1, stride=max(strides))
            self.shortcut_bn = batch_norm(EXPANSION * width)

    def call(self, x):
        """(B, H, W, in_channels) to (B, H / 2, W / 2, 4 * width), or to (B, H, W, 4 * width) without a stride."""
        residual = self.residual(x)
        shortcut = self.shortcut_bn(self.shortcut_conv(x)) if self.has_projection else x
        return keras.ops.relu(residual + shortcut)

    def residual(self, x):
        """What is added to the shortcut."""
        x = keras.ops.relu(self.bn1(self.conv1(x)))
        if self.strides[1] != 1:
            x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = keras.ops.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class ResNet(keras.Model):
    """A 7x7 convolution, stages of bottlenecks, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels.
        width: channels of the first convolution and of the first stage's bottlenecks.
        stages: number of blocks in each stage; each stage but the first halves the picture.
        num_classes: width of the output.
    """

    block = Bottleneck
    downsample_strides = (2, 1)  # strides of the first two convolutions of a stage, where it halves the picture

    def __init__(self, image_shape, width, stages, num_classes):
        check_shapes(image_shape, num_classes, smallest=1)
        super().__init__()
        self.conv1 = convolution(image_shape[-1], width, kernel_size=7, stride=2)
        self.bn1 = batch_norm(width)
        self.pool1 = layers.MaxPooling2D(pool_size=3, strides=2)
        self.blocks = []
        channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                strides = self.downsample_strides if stage > 0 and block == 0 else (1, 1)
                self.blocks.append(self.block(channels, width * 2**stage, strides))
                channels = EXPANSION * width * 2**stage
        self.dense = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = keras.ops.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = keras.ops.relu(self.bn1(self.conv1(x), training=training))  # (B, H / 2, W / 2, width)
        x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch pads by -inf; after ReLU 0 will do
        x = self.pool1(x)  # (B, H / 4, W / 4, width)
        for block in self.blocks:
            x = block(x, training=training)
        x = keras.ops.mean(x, axis=(1, 2))  # (B, channels)
        return self.dense(x)
