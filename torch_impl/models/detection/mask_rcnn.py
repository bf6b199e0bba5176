"""Mask R-CNN: a third branch draws, for each proposal, which of its pixels belong to the object.

He, Gkioxari, Dollar and Girshick, "Mask R-CNN" (2017), sections 3 and 3.1, on the maps of Lin et al., "Feature pyramid
networks for object detection" (2017), section 3. ResNet gives maps of four sizes; from the coarsest on each is doubled
and added to the next finer one, so that all know what the coarse one knows. Anchors of one size lie on each map, and a
region takes its features from a coarse map if it is large and from a fine one if it is small.

Beside the head of `faster_rcnn`, four convolutions and a transposed one give a small mask for each class, of which the
one of the region's class counts: masks need not compete with each other. RoIAlign matters here, where half a pixel
shows. In training the mask branch sees the sampled regions with an object; in use it sees the boxes that the head has
moved, and its masks are enlarged to these boxes.

Departures: those of `faster_rcnn`, whose choice of proposals is made on all maps together. A region is aligned on each
map and one answer is kept, so that sizes are known before. Masks are enlarged without a border. ResNet's BatchNorms
are frozen, as in the published code; since weights are drawn here, they only scale.

Slides: deck C, "Mask R-CNN"; deck A, with a link to an implementation.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import centred, decode
from torch_impl.models.classification.resnet import EXPANSION, Bottleneck
from torch_impl.models.classification.resnet_style import batch_norm, convolution
from torch_impl.models.detection.faster_rcnn import (
    Head,
    grid_anchors,
    head_losses,
    propose,
    regions,
    roi_align,
    rpn_losses,
)
from torch_impl.models.detection.ssd import VARIANCES, conv3x3, joined
from twin.shapes import check_multiple, check_proposals
from twin.spec import Phase


class Trunk(nn.Module):
    """ResNet's stages and the feature pyramid over them.

    Args:
        in_channels: of the picture.
        width: channels of the first convolution and of the first stage's bottlenecks.
        stages: number of blocks in each stage.
        channels: of each map.
    """

    def __init__(self, in_channels, width, stages, channels):
        super().__init__()
        self.conv1 = convolution(in_channels, width, kernel_size=7, stride=2)
        self.bn1 = frozen(batch_norm(width))
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        self.depths = stages
        self.blocks, self.inner, self.outer = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        in_channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                strides = (1, 2) if stage > 0 and block == 0 else (1, 1)
                self.blocks.append(bottleneck(in_channels, width * 2**stage, strides))
                in_channels = EXPANSION * width * 2**stage
            self.inner.append(nn.Conv2d(in_channels, channels, kernel_size=1))
            self.outer.append(conv3x3(channels, channels))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        """(B, in_channels, H, W) to maps (B, channels, H / 4, W / 4), half of that, and so on; the last one twice."""
        self.eval()  # differs: a BatchNorm without gradients is still in training mode
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.pool1(x)
        blocks, inner = iter(self.blocks), []
        for num_blocks, conv in zip(self.depths, self.inner, strict=True):
            for _ in range(num_blocks):
                x = next(blocks)(x)
            inner.append(conv(x))
        x, maps = inner[-1], [self.outer[-1](inner[-1])]
        for finer, conv in zip(inner[-2::-1], list(self.outer)[-2::-1], strict=True):
            x = finer + self.up(x)
            maps.insert(0, conv(x))
        return [*maps, maps[-1][:, :, ::2, ::2]]  # for large anchors


class RPN(nn.Module):
    """The region proposal network, the same on each map: a logit for each anchor, and its offsets.

    Args:
        channels: of the maps.
        anchors: at each place.
    """

    def __init__(self, channels, anchors):
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.logits = nn.Conv2d(channels, anchors, kernel_size=1)
        self.offsets = nn.Conv2d(channels, 4 * anchors, kernel_size=1)

    def forward(self, maps):
        """Maps (B, channels, S, S) to logits (B, K, 2), of which the ground's is 0, and offsets (B, K, 4)."""
        maps = [torch.relu(self.conv(x)) for x in maps]
        logits = joined([self.logits(x) for x in maps], 1)
        offsets = joined([self.offsets(x) for x in maps], 4)
        return torch.cat([torch.zeros_like(logits), logits], dim=-1), offsets


class MaskHead(nn.Module):
    """Four convolutions, a transposed one that doubles the size, and a mask for each class.

    Args:
        channels: of the features and of all convolutions.
        num_classes: with the ground, which comes first.
    """

    def __init__(self, channels, num_classes):
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels, channels) for _ in range(4))
        self.up = nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)
        self.logits = nn.Conv2d(channels, num_classes, kernel_size=1)

    def forward(self, x):
        """(B, R, channels, size, size) features to logits (B, R, num_classes, 2 * size, 2 * size)."""
        count = x.shape[1]
        x = torch.flatten(x, 0, 1)  # (B * R, channels, size, size)
        for conv in self.convs:
            x = torch.relu(conv(x))
        x = self.logits(torch.relu(self.up(x)))
        return torch.reshape(x, (-1, count, *x.shape[1:]))


class MaskRCNN(nn.Module):
    """Trunk, region proposal network, and two heads on each proposal.

    Args:
        image_shape: height, width and channels.
        width, stages: of ResNet.
        channels: of the feature pyramid.
        areas: square roots of the anchors' areas in pixels, one for each map; there is one map more than stages.
        ratios: of their heights to their widths.
        candidates: the anchors' best boxes, among which suppression chooses.
        proposals: how many of them the heads look at.
        pool_sizes: height and width of a region's features, for the head and for the mask branch.
        second_map: side of a region, in pixels, from which on it takes its features from the second map.
        hidden_dim: units of the head's dense layers.
        samples: anchors and proposals of a picture that learn.
        num_classes: without the ground.
    """

    def __init__(
        self,
        image_shape,
        width,
        stages,
        channels,
        areas,
        ratios,
        candidates,
        proposals,
        pool_sizes,
        second_map,
        hidden_dim,
        samples,
        num_classes,
    ):
        super().__init__()
        check_multiple(image_shape, num_classes, 2 ** (1 + len(stages)))
        self.image_shape, self.samples, self.chosen = image_shape, samples, (candidates, proposals)
        self.pool_sizes, self.second_map = pool_sizes, second_map
        anchors = []
        for level, area in enumerate(areas):
            map_shape = [-(-side // 2 ** (2 + level)) for side in image_shape[:2]]
            anchors.append(grid_anchors(map_shape, image_shape, (area,), ratios))
        self.anchors = nn.Buffer(torch.cat(anchors, dim=0), persistent=False)
        check_proposals(proposals, candidates, self.anchors.shape[0])
        self.trunk = Trunk(image_shape[2], width, stages, channels)
        self.rpn = RPN(channels, len(ratios))
        self.head = Head(channels * pool_sizes[0] ** 2, hidden_dim, 1 + num_classes)
        self.mask_head = MaskHead(channels, 1 + num_classes)

    def forward(self, x):
        """(B, C, H, W) images to `boxes` (B, R, 4), their `scores`, `masks` (B, R, H, W), and what they come from."""
        maps = self.trunk(x)
        rpn_logits, rpn_offsets = self.rpn(maps)
        proposals = propose(rpn_logits, rpn_offsets, self.anchors, *self.chosen)
        logits, offsets = self.head(self.aligned(maps, proposals, 0))
        scores = torch.softmax(logits, dim=-1)[..., 1:]
        best = F.one_hot(1 + torch.argmax(scores, dim=-1), logits.shape[-1]).to(logits.dtype)
        offsets = torch.sum(offsets * best[..., None], dim=2)  # (B, R, 4): those of the best class
        offsets = offsets * torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device)
        boxes = torch.clamp(decode(offsets, proposals), 0, 1)
        masks = self.mask_head(self.aligned(maps, boxes, 1))  # (B, R, 1 + classes, 2 * size, 2 * size)
        masks = torch.sigmoid(torch.sum(masks * best[..., None, None], dim=2))
        return {
            "rpn_logits": rpn_logits,
            "rpn_offsets": rpn_offsets,
            "logits": logits,
            "boxes": boxes,
            "scores": scores,
            "masks": pasted(masks, boxes, self.image_shape[:2]),
        }

    def aligned(self, maps, boxes, head):
        """The features of boxes (B, R, 4), (B, R, channels, size, size), each from the map that fits its size."""
        height, width = self.image_shape[:2]
        _, sides = centred(boxes)
        side = torch.sqrt(sides[..., 0] * sides[..., 1] * (height * width))  # (B, R), in pixels
        level = torch.floor(1 + torch.log2(torch.clamp(side / self.second_map, min=1e-6)))
        level = torch.clamp(level, 0, len(maps) - 2)[..., None, None, None]
        total = 0
        for number, x in enumerate(maps[:-1]):
            own = (level == number).to(x.dtype)
            total = total + own * roi_align(x, boxes, self.pool_sizes[head])
        return total


def detection_losses(model, batch):
    """The losses of both stages and of the masks, by name."""
    maps = model.trunk(batch["x"])
    rpn_logits, rpn_offsets = model.rpn(maps)
    proposals = propose(rpn_logits, rpn_offsets, model.anchors, *model.chosen)
    rois, labels, targets, counted, best = regions(batch, proposals, model.samples[1])
    logits, offsets = model.head(model.aligned(maps, rois, 0))
    first = rpn_losses(batch, rpn_logits, rpn_offsets, model.samples[0])
    second = head_losses(logits, offsets, labels, targets, counted)

    some = model.samples[1] // 4  # those with an object come first, and are not more
    rois, labels, counted, best = rois[:, :some], labels[:, :some], counted[:, :some], best[:, :some]
    masks = model.mask_head(model.aligned(maps, rois, 1))
    return {**first, **second, "mask": mask_loss(masks, batch["masks"], rois, labels, counted, best)}


PHASES = (Phase("", loss=detection_losses),)


def mask_loss(logits, true, rois, labels, counted, best):
    """Binary cross-entropy of the true class's masks, mean over regions with an object.

    Args:
        logits: (B, R, 1 + classes, S, S).
        true: masks of the picture's objects, (B, M, H, W).
        rois: (B, R, 4).
        labels: of the regions, 0 for the ground.
        counted: 1 for the regions that count.
        best: which object a region is to find.
    """
    kinds = F.one_hot(labels, logits.shape[2]).to(logits.dtype)
    logits = torch.sum(logits * kinds[..., None, None], dim=2)  # (B, R, S, S)
    true = roi_align(true.to(logits.dtype), rois, logits.shape[-1])  # (B, R, M, S, S)
    own = F.one_hot(best, true.shape[2]).to(logits.dtype)
    true = torch.sum(true * own[..., None, None], dim=2)
    cross_entropy = torch.mean(F.binary_cross_entropy_with_logits(logits, true, reduction="none"), dim=(2, 3))  # (B, R)
    positive = counted * (labels > 0).to(logits.dtype)
    return torch.sum(positive * cross_entropy) / torch.clamp(torch.sum(positive), min=1)


def pasted(masks, boxes, image_shape):
    """Masks (B, R, S, S) enlarged to their boxes (B, R, 4) in pictures, (B, R, H, W); 0 outside of the boxes."""
    height, width = image_shape
    y, x = ((torch.arange(side, dtype=masks.dtype, device=masks.device) + 0.5) / side for side in (height, width))
    x, y = torch.broadcast_tensors(x, y[:, None])  # differs: for grid_sample, which Keras does not have
    sides = torch.clamp(boxes[..., 2:] - boxes[..., :2], min=1e-6)[:, :, None, None]
    places = (torch.stack([x, y], dim=-1) - boxes[:, :, None, None, :2]) / sides  # (B, R, H, W, 2): shares of the box
    grid = torch.flatten(2 * places - 1, 0, 1)  # (B * R, H, W, 2)
    inside = torch.all(torch.abs(grid) <= 1, dim=-1).to(masks.dtype)
    x = F.grid_sample(torch.flatten(masks, 0, 1)[:, None], grid, padding_mode="border", align_corners=False)
    return torch.reshape(x[:, 0] * inside, (*masks.shape[:2], height, width))


def bottleneck(in_channels, width, strides):
    """ResNet's bottleneck with frozen BatchNorms."""
    block = Bottleneck(in_channels, width, strides)
    for bn in (block.bn1, block.bn2, block.bn3, *([block.shortcut_bn] if block.has_projection else [])):
        frozen(bn)
    return block


def frozen(bn):
    """A BatchNorm that scales by its statistics as they are, and is not trained."""
    bn.requires_grad_(False)
    return bn
