"""YOLACT: masks of a picture's objects as mixtures of a few prototypes, in one pass.

Bolya, Zhou, Xiao and Lee, "YOLACT: real-time instance segmentation" (2019), section 3. Two branches work at the same
time. One draws prototypes: masks of the whole picture that belong to no object and no class. The other, a head that all
levels of a feature pyramid share, says for each anchor the class, the box, and a coefficient for each prototype, which
may be negative. An object's mask is the sigmoid of the prototypes' sum, weighted by its coefficients, and cut out by
its box. No features are cropped and resized for each object, as Mask R-CNN does it: all masks are one matrix product.

Class and box learn as in `ssd`. A mask learns by cross-entropy in the box of its object, averaged over that box, so
that small objects count as much as large ones. The loss weights class, box and mask by 1, 1.5 and 6.125.

Departures: what each anchor is to say comes with the batch. The loss of the public code on a map of classes, which is
for training only and which the paper adds in section 5, is left out. Weights are drawn, and BatchNorm learns, where the
paper begins with a ResNet from ImageNet and freezes it. Each of N bottlenecks begins with 1 / sqrt(N) of its branch: a
hundred drawn layers would else grow beyond bounds. The small size takes its pyramid from three stages in place of the
last three of four. Which boxes stay is decided behind the model: by Fast NMS, which is in the exercise `nms`.

Slides: deck D, YOLACT.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import decode, scales_and_ratios
from torch_impl.models.classification.resnet import EXPANSION, Bottleneck
from torch_impl.models.classification.resnet_style import batch_norm, convolution
from torch_impl.models.detection.ssd import VARIANCES, conv3x3, joined, multibox_loss
from twin.shapes import check_square

LEVELS = 3  # of the last stages, on which the pyramid stands
RATIOS = (1.0, 0.5, 2.0)  # of an anchor's height to its width
BOX_WEIGHT, MASK_WEIGHT = 1.5, 6.125  # of the losses, beside 1 for the classes
MARGIN = 0.75  # places around a box that its mask may still have: no place's middle lies on this edge


class Pyramid(nn.Module):
    """Feature pyramid: coarse maps are enlarged and added to finer ones, and even coarser ones may follow.

    Args:
        in_channels: of the maps that come in, from the finest on.
        channels: of all maps that go out.
        num_extra: further levels, each half as large.
    """

    def __init__(self, in_channels, channels, num_extra):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(each, channels, kernel_size=1) for each in in_channels)
        self.smooth = nn.ModuleList(conv3x3(channels, channels) for _ in in_channels)
        self.down = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1) for _ in range(num_extra)
        )

    def forward(self, maps):
        """Maps (B, in_channels, S, S), each about half as large as the one before, to (B, channels, S, S)."""
        x, sums = None, []
        for lateral, each in zip(self.lateral[::-1], maps[::-1], strict=True):
            side = lateral(each)  # (B, channels, S, S)
            x = side if x is None else side + enlarged(x, side.shape[2:])
            sums.append(x)
        out = [torch.relu(smooth(x)) for smooth, x in zip(self.smooth, sums[::-1], strict=True)]
        for down in self.down:
            out.append(down(out[-1]))  # (B, channels, S / 2, S / 2)
        return out


class Protonet(nn.Module):
    """Three convolutions, twice the size, one more, and a prototype for each channel of the last.

    Args:
        channels: of the input and of the convolutions.
        num_prototypes: masks that go out.
    """

    def __init__(self, channels, num_prototypes):
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in range(3))
        self.conv = conv3x3(channels, channels)
        self.prototypes = nn.Conv2d(channels, num_prototypes, kernel_size=1)

    def forward(self, x):
        """(B, channels, S, S) to (B, num_prototypes, 2 * S, 2 * S), none below 0."""
        for conv in self.convs:
            x = torch.relu(conv(x))
        x = enlarged(x, (2 * x.shape[2], 2 * x.shape[3]))
        return torch.relu(self.prototypes(torch.relu(self.conv(x))))


class Head(nn.Module):
    """What each anchor of a map says: offsets, classes and coefficients. All maps share it.

    Args:
        channels: of the input.
        num_anchors: at each place.
        num_classes: without the ground.
        num_prototypes: numbers of an anchor's mask.
    """

    def __init__(self, channels, num_anchors, num_classes, num_prototypes):
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.loc = conv3x3(channels, 4 * num_anchors)
        self.conf = conv3x3(channels, (1 + num_classes) * num_anchors)
        self.mask = conv3x3(channels, num_prototypes * num_anchors)

    def forward(self, x):
        """(B, channels, S, S) to maps (B, num_anchors * numbers, S, S): 4, 1 + num_classes, num_prototypes numbers."""
        x = torch.relu(self.conv(x))
        return self.loc(x), self.conf(x), torch.tanh(self.mask(x))


class YOLACT(nn.Module):
    """ResNet, a feature pyramid on its last three stages, prototypes, and a head that all levels share.

    Args:
        image_shape: height, width and channels, height and width the same.
        width: channels of the first convolution and of the first stage's bottlenecks.
        stages: bottlenecks of each stage; each stage but the first halves the picture.
        channels: of the pyramid, the prototypes' network and the head.
        num_extra: levels beyond those of the stages.
        scales: of the anchors of each level, as shares of the picture.
        num_prototypes: masks that all objects are mixed from.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, width, stages, channels, num_extra, scales, num_prototypes, num_classes):
        check_square(image_shape, num_classes)
        super().__init__()
        self.num_classes, self.num_prototypes = num_classes, num_prototypes
        self.conv1 = convolution(image_shape[2], width, kernel_size=7, stride=2)
        self.bn1 = batch_norm(width)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # differs: Keras pads in call
        self.blocks, self.lasts = nn.ModuleList(), []
        in_channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                strides = (1, 2) if stage > 0 and block == 0 else (1, 1)
                self.blocks.append(Bottleneck(in_channels, width * 2**stage, strides))
                in_channels = EXPANSION * width * 2**stage
            self.lasts.append(len(self.blocks) - 1)
        scale = len(self.blocks) ** -0.5
        for block in self.blocks:
            nn.init.constant_(block.bn3.weight, scale)  # differs: Keras does so as it makes the weight

        widths = [EXPANSION * width * 2**stage for stage in range(len(stages))][-LEVELS:]
        self.pyramid = Pyramid(widths, channels, num_extra)
        self.protonet = Protonet(channels, num_prototypes)
        self.head = Head(channels, len(RATIOS), num_classes, num_prototypes)
        sides = [image_shape[0]]
        for _ in range(len(stages) + 1 + num_extra):
            sides.append(-(-sides[-1] // 2))
        scales = torch.tensor(scales, dtype=torch.float64)
        self.anchors = nn.Buffer(anchor_boxes(sides[-len(scales) :], scales), persistent=False)

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to what K anchors say, and prototypes (B, num_prototypes, S, S) for their masks.

        `offsets` (B, K, 4), `logits` (B, K, 1 + classes), `boxes` (B, K, 4), `scores` (B, K, classes), `coefficients`
        (B, K, num_prototypes) and `prototypes`.
        """
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, width, H / 2, W / 2)
        x = self.pool1(x)  # (B, width, H / 4, W / 4)
        maps = []
        for place, block in enumerate(self.blocks):
            x = block(x)
            if place in self.lasts[-LEVELS:]:
                maps.append(x)
        maps = self.pyramid(maps)
        prototypes = self.protonet(maps[0])
        said = zip(*[self.head(x) for x in maps], strict=True)
        numbers = (4, 1 + self.num_classes, self.num_prototypes)
        offsets, logits, coefficients = (joined(each, count) for each, count in zip(said, numbers, strict=True))
        boxes = decode(offsets * torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device), self.anchors)
        scores = torch.softmax(logits, dim=-1)[..., 1:]
        boxed = {"offsets": offsets, "logits": logits, "boxes": boxes, "scores": scores}
        return boxed | {"coefficients": coefficients, "prototypes": prototypes}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Class and box as in SSD, and the masks of those anchors that the batch names, mean over the masks."""
        places = torch.clamp(y["places"], min=0).long()[..., None]  # (B, P, 1)
        coefficients = torch.take_along_dim(y_pred["coefficients"], places, dim=1)  # (B, P, num_prototypes)
        logits = mixed(y_pred["prototypes"], coefficients)  # (B, P, S, S)
        inside = cropped(y["frames"].to(logits.dtype), logits.shape[2:])
        pixels = F.binary_cross_entropy_with_logits(logits, y["shapes"].to(logits.dtype), reduction="none")
        masks = torch.sum(inside * pixels, dim=(2, 3)) / torch.clamp(torch.sum(inside, dim=(2, 3)), min=1)  # (B, P)
        counted = (y["places"] >= 0).to(masks.dtype)
        mask_loss = torch.sum(counted * masks) / torch.clamp(torch.sum(counted), min=1)
        return multibox_loss(y, y_pred["offsets"], y_pred["logits"], BOX_WEIGHT) + MASK_WEIGHT * mask_loss


def enlarged(x, size):
    """(B, channels, H, W) brought to another height and width by bilinear interpolation."""
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=False)


def mixed(prototypes, coefficients):
    """Prototypes (B, k, S, S), weighted by coefficients (B, N, k), to the masks' logits (B, N, S, S)."""
    return torch.einsum("bkhw,bnk->bnhw", prototypes, coefficients)


def cropped(boxes, size):
    """Which places of (B, N, height, width) lie in the boxes (B, N, 4), as 1 and 0; a margin beside them counts too."""
    height, width = size
    rows = torch.arange(height, dtype=boxes.dtype, device=boxes.device)[:, None] + 0.5
    columns = torch.arange(width, dtype=boxes.dtype, device=boxes.device) + 0.5
    left, top, right, bottom = (boxes[..., side, None, None] for side in range(4))  # (B, N, 1, 1) each
    across = (columns > left * width - MARGIN) & (columns < right * width + MARGIN)  # (B, N, 1, width)
    down = (rows > top * height - MARGIN) & (rows < bottom * height + MARGIN)  # (B, N, height, 1)
    return (across & down).to(boxes.dtype)


def anchor_boxes(sides, scales):
    """Three boxes of a scale's area at every place of each map, (K, 4): map by map, row by row, place by place."""
    boxes = []
    ratios = torch.tensor(RATIOS, dtype=scales.dtype, device=scales.device)
    for side, scale in zip(sides, scales, strict=True):
        shapes = scales_and_ratios(scale[None], ratios)  # (3, 4), around the origin
        middles = (torch.arange(side, dtype=scales.dtype, device=scales.device) + 0.5) / side
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        centres = torch.reshape(torch.stack([x, y, x, y], dim=-1), (-1, 1, 4))  # (side * side, 1, 4)
        boxes.append(torch.reshape(centres + shapes, (-1, 4)))
    return torch.cat(boxes, dim=0)
