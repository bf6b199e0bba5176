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

from torch import nn
from torch.nn import functional as F

from torch_impl.models.classification.squeeze_excite import SqueezeExcite
from twin.shapes import check_shapes


def batch_norm(channels, momentum):
    """A BatchNorm that keeps so much of its running statistics at each step."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=1 - momentum)  # differs: PyTorch's is the share replaced


def padded(x, kernel_size):
    """(B, C, H, W), with the zeros around that a convolution of stride 2 needs to halve it, rounded up."""
    half = kernel_size // 2
    rows, columns = ((half - 1 + side % 2, half) for side in x.shape[2:])
    return F.pad(x, (*columns, *rows))


class MBConv(nn.Module):
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
        expanded, silu = expand_ratio * in_channels, F.silu
        if expand_ratio != 1:
            self.expand_conv = nn.Conv2d(in_channels, expanded, kernel_size=1, bias=False)
            self.expand_bn = batch_norm(expanded, momentum)
        padding = kernel_size // 2 if stride == 1 else 0
        self.depthwise_conv = nn.Conv2d(
            expanded, expanded, kernel_size, stride=stride, padding=padding, groups=expanded, bias=False
        )
        self.depthwise_bn = batch_norm(expanded, momentum)
        self.se = SqueezeExcite(expanded, max(1, in_channels // 4), activation=silu, use_bias=True)
        self.project_conv = nn.Conv2d(expanded, channels, kernel_size=1, bias=False)
        self.project_bn = batch_norm(channels, momentum)
        self.use_residual = stride == 1 and in_channels == channels
        if self.use_residual:
            self.drop_path = nn.Dropout(drop_path_rate)

    def forward(self, x):
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        residual = x
        if self.expand_ratio != 1:
            residual = F.silu(self.expand_bn(self.expand_conv(residual)))  # (B, expanded, H, W)
        if self.stride != 1:
            residual = padded(residual, self.kernel_size)
        residual = self.depthwise_bn(self.depthwise_conv(residual))  # (B, expanded, H / stride, W / stride)
        residual = F.silu(residual)
        residual = self.project_bn(self.project_conv(self.se(residual)))  # (B, channels, H / stride, W / stride)
        if self.use_residual and self.training:
            mask = self.drop_path(x.new_ones(len(x), 1, 1, 1))  # differs: Keras's Dropout takes the shape of its noise
            residual = residual * mask
        return x + residual if self.use_residual else residual


class MBConvNet(nn.Module):
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
        self.stem_conv = nn.Conv2d(image_shape[-1], width, kernel_size=3, stride=2, padding=0, bias=False)
        self.stem_bn = batch_norm(width, momentum)
        self.blocks = nn.ModuleList()
        channels = width
        for scale in range(3):
            for block in range(2):
                stride = 2 if scale > 0 and block == 0 else 1
                out = width * 2**scale
                self.blocks.append(MBConv(channels, out, 3, stride, expand_ratio, drop_path_rate, momentum))
                channels = out
        self.dense = nn.Linear(channels, num_classes)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, num_classes) logits."""
        x = self.stem_conv(padded(x, kernel_size=3))
        x = F.silu(self.stem_bn(x))  # (B, width, H / 2, W / 2)
        for block in self.blocks:
            x = block(x)  # at last (B, 4 * width, H / 8, W / 8)
        x = x.mean(dim=(2, 3))  # (B, 4 * width)
        return self.dense(x)
