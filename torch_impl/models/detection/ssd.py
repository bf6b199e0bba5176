"""SSD: default boxes on several feature maps of one network, all classified and moved at once.

Liu et al., "SSD: single shot multibox detector" (2016), section 2 and figure 2. VGG16 goes on: its dense layers become
convolutions, the first of them dilated, and further convolutions make ever smaller maps. On six maps, from one inside
VGG to a single place, a 3x3 convolution gives each default box its classes, the ground among them, and another its
offsets. Fine maps find small objects, coarse maps large ones. Features of the first map are much larger than those of
the others, and so their length at each place is set to a learned scale for each channel.

A default box that matches an object learns its class, by a softmax, and its offsets, by smooth L1. Of the others, which
are nearly all, only the hardest learn that they see ground: three for each match, those with the largest loss. Both
losses are divided by the number of matches.

Departures: what each default box is to say comes with the batch; which negatives are hard depends on the output, and is
taken without a gradient. Weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck A, "multi feature map", default boxes on 8x8 and 4x4 maps, the matching strategy.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import decode, default_boxes
from twin.shapes import check_square

HARD = 3  # negatives that learn, for each match
VARIANCES = (0.1, 0.1, 0.2, 0.2)  # offsets are divided by them, so that all are of one size


class L2Norm(nn.Module):
    """Features of length 1 at every place, times a scale for each channel.

    Args:
        channels: of the input.
        scale: that each channel begins with.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x):
        """(B, channels, H, W) to the same shape."""
        return x * torch.rsqrt(torch.sum(torch.square(x), dim=1, keepdim=True) + 1e-10) * self.scale[:, None, None]


class SSD(nn.Module):
    """VGG, its dense layers as convolutions, further maps, and two convolutions on each map.

    Args:
        image_shape: height, width and channels, height and width the same.
        features: channels of VGG's 3x3 convolutions up to the first map, and "M" for a max pooling.
        conv5: channels of the convolutions after the next pooling.
        fc_dim: channels of what were dense layers; the second of them is the second map.
        dilation: of the first of them.
        extras: further maps, as (channels within, channels, stride): 2 halves, 1 takes a place off each side.
        scales: of the default boxes of each map, and one more, as shares of the picture.
        ratios: of the default boxes of each map, beside 1, without their inverses.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, features, conv5, fc_dim, dilation, extras, scales, ratios, num_classes):
        super().__init__()
        check_square(image_shape, num_classes)
        self.features, self.num_classes = features, num_classes
        widths = [each for each in features if each != "M"]
        self.convs = nn.ModuleList(conv3x3(*pair) for pair in pairwise([image_shape[2], *widths]))
        self.l2_norm = L2Norm(widths[-1], 20.0)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)  # rounds up: 75 to 38
        self.conv5 = nn.ModuleList(conv3x3(*pair) for pair in pairwise([widths[-1], *conv5]))
        self.pool5 = nn.MaxPool2d(3, stride=1, padding=1)
        self.fc6 = nn.Conv2d(conv5[-1], fc_dim, kernel_size=3, padding="same", dilation=dilation)
        self.fc7 = nn.Conv2d(fc_dim, fc_dim, kernel_size=1)

        side = -(-image_shape[0] // 2 ** features.count("M"))
        sides, channels = [side, -(-side // 2)], [widths[-1], fc_dim]
        self.narrow, self.wide = nn.ModuleList(), nn.ModuleList()
        for inner, outer, stride in extras:
            self.narrow.append(nn.Conv2d(channels[-1], inner, kernel_size=1))
            self.wide.append(nn.Conv2d(inner, outer, kernel_size=3, stride=stride, padding=stride - 1))
            sides.append(-(-sides[-1] // 2) if stride == 2 else sides[-1] - 2)
            channels.append(outer)

        boxes = [2 + 2 * len(each) for each in ratios]
        self.loc = nn.ModuleList(map(conv3x3, channels, [4 * count for count in boxes]))
        self.conf = nn.ModuleList(map(conv3x3, channels, [(1 + num_classes) * count for count in boxes]))
        anchors = default_boxes(sides, torch.tensor(scales, dtype=torch.float64), ratios)
        self.anchors = nn.Buffer(anchors, persistent=False)

    def forward(self, x):
        """(B, C, H, W) images to `offsets` (B, K, 4), `logits` (B, K, 1 + classes), `boxes` and `scores`."""
        convs = iter(self.convs)
        for each in self.features:
            x = self.pool(x) if each == "M" else torch.relu(next(convs)(x))
        maps = [self.l2_norm(x)]  # (B, channels, S, S)
        x = self.pool(x)
        for conv in self.conv5:
            x = torch.relu(conv(x))
        x = torch.relu(self.fc7(torch.relu(self.fc6(self.pool5(x)))))  # (B, fc_dim, S / 2, S / 2)
        maps.append(x)
        for narrow, wide in zip(self.narrow, self.wide, strict=True):
            x = torch.relu(narrow(x))
            x = torch.relu(wide(x))
            maps.append(x)

        offsets = joined([loc(x) for loc, x in zip(self.loc, maps, strict=True)], 4)
        logits = joined([conf(x) for conf, x in zip(self.conf, maps, strict=True)], 1 + self.num_classes)
        boxes = decode(offsets * torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device), self.anchors)
        return {"offsets": offsets, "logits": logits, "boxes": boxes, "scores": torch.softmax(logits, dim=-1)[..., 1:]}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """The loss of section 2.2: both parts, summed over the batch, for each match in it."""
        return multibox_loss(y, y_pred["offsets"], y_pred["logits"])


def multibox_loss(y, offsets, logits, weight=1.0):
    """Classes of matches and hard negatives, and offsets of matches with that weight, for each match of the batch.

    Args:
        y: `labels` (B, K), 0 for ground, and `offsets` (B, K, 4).
        offsets: (B, K, 4).
        logits: (B, K, 1 + classes).
        weight: of the offsets' part.
    """
    matched = (y["labels"] > 0).to(offsets.dtype)  # (B, K)
    smooth_l1 = torch.sum(F.smooth_l1_loss(offsets, y["offsets"], reduction="none"), dim=-1)  # (B, K)
    softmax = F.cross_entropy(logits.transpose(1, 2), y["labels"], reduction="none")  # (B, K)

    order = torch.argsort((softmax * (matched - 1)).detach(), dim=-1)  # the hardest negative first
    rank = torch.argsort(order, dim=-1)
    hard = (rank < HARD * torch.sum(matched, dim=-1, keepdim=True)).to(matched.dtype)
    counted = torch.maximum(matched, hard)
    return torch.sum(weight * matched * smooth_l1 + counted * softmax) / torch.clamp(torch.sum(matched), min=1)


def conv3x3(in_channels, channels):
    """A 3x3 convolution that keeps height and width."""
    return nn.Conv2d(in_channels, channels, kernel_size=3, padding="same")


def joined(maps, numbers):
    """Maps (B, boxes * numbers, S, S) to the boxes of all, (B, K, numbers): map by map, row by row, place by place."""
    maps = [x.permute(0, 2, 3, 1) for x in maps]  # differs: (B, S, S, boxes * numbers), as Keras has it
    return torch.cat([torch.reshape(x, (x.shape[0], -1, numbers)) for x in maps], dim=1)
