"""MBConv: the inverted bottleneck, which is wide inside and filters each channel by itself.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), section 3 and figure 4d, with the
gate that Tan et al. added in "MnasNet" (2019), figure 7. A bottleneck narrows before its 3x3 convolution because that
one is expensive. A depthwise convolution has one filter for each channel and is cheap, so that this block does the
opposite: a 1x1 convolution widens, the depthwise one filters, a gate weighs the channels, and a 1x1 convolution without
an activation narrows again. The shortcut joins the narrow ends.

Departures: SiLU in place of ReLU6, as on the slides and in EfficientNet, whose block this is: the gate is a quarter
as wide as the block's *input*, and a stride of 2 pads as TensorFlow does, one more below and on the right of an even
picture. The network around the block is small, since the papers' own are those of `efficientnet_b0`'s kind.

Slides: deck E, "MBConv style". There the block narrows 120 channels to 20, its depthwise convolution lacks the groups,
and the shortcut begins where the block has already ended.
"""

import keras
from keras import layers

from keras_impl.models.classification.squeeze_excite import SqueezeExcite
from keras_impl.saving import serializable
from twin.shapes import check_shapes


def batch_norm(channels, momentum):
    """A BatchNorm that keeps so much of its running statistics at each step."""
    return layers.BatchNormalization(momentum=momentum, epsilon=1e-3)


def padded(x, kernel_size):
    """(B, H, W, C), with the zeros around that a convolution of stride 2 needs to halve it, rounded up."""
    half = kernel_size // 2
    rows, columns = ((half - 1 + side % 2, half) for side in x.shape[1:3])
    return keras.ops.pad(x, ((0, 0), rows, columns, (0, 0)))


class MBConv(layers.Layer):
    """Widen, filter each channel by itself, gate, narrow; added to the input where the shapes allow.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel_size: height and width of the depthwise filters.
        stride: 2 halves height and width.
        expand_ratio: how many times wider the block is inside; 1 leaves the first convolution out.
        drop_path_rate: share of the pictures for which training leaves the residual out.
        momentum: share of the running statistics that each step keeps.
    """

    def __init__(self, in_channels, channels, kernel_size, stride, expand_ratio, drop_path_rate, momentum):
        super().__init__()
        self.kernel_size, self.stride, self.expand_ratio = kernel_size, stride, expand_ratio
        expanded, silu = expand_ratio * in_channels, keras.ops.silu
        if expand_ratio != 1:
            self.expand_conv = layers.Conv2D(expanded, kernel_size=1, use_bias=False)
            self.expand_bn = batch_norm(expanded, momentum)
        padding = "same" if stride == 1 else "valid"
        self.depthwise_conv = layers.DepthwiseConv2D(kernel_size, strides=stride, padding=padding, use_bias=False)
        self.depthwise_bn = batch_norm(expanded, momentum)
        self.se = SqueezeExcite(expanded, max(1, in_channels // 4), activation=silu, use_bias=True)
        self.project_conv = layers.Conv2D(channels, kernel_size=1, use_bias=False)
        self.project_bn = batch_norm(channels, momentum)
        self.use_residual = stride == 1 and in_channels == channels
        if self.use_residual:
            self.drop_path = layers.Dropout(drop_path_rate, noise_shape=(None, 1, 1, 1))

    def call(self, x):
        """(B, H, W, in_channels) to (B, H / stride, W / stride, channels)."""
        residual = x
        if self.expand_ratio != 1:
            residual = keras.ops.silu(self.expand_bn(self.expand_conv(residual)))  # (B, H, W, expanded)
        if self.stride != 1:
            residual = padded(residual, self.kernel_size)
        residual = self.depthwise_bn(self.depthwise_conv(residual))  # (B, H / stride, W / stride, expanded)
        residual = keras.ops.silu(residual)
        residual = self.project_bn(self.project_conv(self.se(residual)))  # (B, H / stride, W / stride, channels)
        return x + self.drop_path(residual) if self.use_residual else residual


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class MBConvNet(keras.Model):
    """A 3x3 convolution, two blocks at each of three scales, global average pooling and a dense layer.

    Args:
        image_shape: height, width and channels.
        width: channels of the first scale; each further one doubles them and halves the picture.
        expand_ratio: how many times wider the blocks are inside.
        drop_path_rate: share of the pictures for which training leaves a residual out.
        momentum: share of the running statistics that each step keeps.
        num_classes: width of the output.
    """

    def __init__(self, image_shape, width, expand_ratio, drop_path_rate, momentum, num_classes):
        check_shapes(image_shape, num_classes, smallest=1)
        super().__init__()
        self.stem_conv = layers.Conv2D(width, kernel_size=3, strides=2, padding="valid", use_bias=False)
        self.stem_bn = batch_norm(width, momentum)
        self.blocks = []
        channels = width
        for scale in range(3):
            for block in range(2):
                stride = 2 if scale > 0 and block == 0 else 1
                out = width * 2**scale
                self.blocks.append(MBConv(channels, out, 3, stride, expand_ratio, drop_path_rate, momentum))
                channels = out
        self.dense = layers.Dense(num_classes)
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to (B, num_classes) logits."""
        x = self.stem_conv(padded(x, kernel_size=3))
        x = keras.ops.silu(self.stem_bn(x, training=training))  # (B, H / 2, W / 2, width)
        for block in self.blocks:
            x = block(x, training=training)  # at last (B, H / 8, W / 8, 4 * width)
        x = keras.ops.mean(x, axis=(1, 2))  # (B, 4 * width)
        return self.dense(x)
