"""Faster R-CNN: one network proposes regions, another says what they hold, and both look at the same features.

Ren, He, Girshick and Sun, "Faster R-CNN: towards real-time object detection with region proposal networks" (2015),
section 3. On the last feature map a 3x3 convolution slides, the region proposal network. At each place it says of nine
anchors whether they hold an object and how far it lies from them. The best of these boxes that do not overlap too much
are the proposals. From each, whatever its size, features of one size are taken, and two dense layers say its class,
the ground among them, and move it once more, for each class in its own way (Girshick, "Fast R-CNN", 2015, section 2).

Four losses are trained together: softmax and smooth L1 of the anchors, softmax and smooth L1 of the proposals. Most
anchors lie on the ground, and so a sample of them learns, of which up to half hold objects; of the proposals up to a
quarter. Which of them are sampled, random numbers decide that are drawn for each step. No gradient goes through the
choice of the proposals, nor through their edges.

Departures: features are taken by RoIAlign (He et al., "Mask R-CNN", 2017, section 3) with two by two samples a bin,
where the paper rounds to whole pixels. The number of proposals is fixed: where fewer are left by suppression, the best
of those that it removed fill up. In training the true boxes are among them. Both stages are trained in each step, by
the section's "approximate joint training". Anchors that leave the picture learn too. What the anchors are to say comes
with the batch. Weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck C, "Faster R-CNN", by its speed and mAP beside Mask R-CNN and YOLO.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import decode, encode, scales_and_ratios
from torch_impl.models.detection.ssd import VARIANCES, conv3x3, joined
from twin.shapes import check_multiple, check_proposals
from twin.spec import Phase

OVERLAP = 0.7  # proposals that overlap a better one by more are removed
OBJECT = 0.5  # proposals that overlap a true box by so much are to find it
BETA = 1 / 9  # where smooth L1 of the anchors' offsets becomes linear


class RPN(nn.Module):
    """The region proposal network: for each anchor at each place, whether it holds an object, and its offsets.

    Args:
        channels: of the features, and of the 3x3 convolution.
        anchors: at each place.
    """

    def __init__(self, channels, anchors):
        super().__init__()
        self.conv = conv3x3(channels, channels)
        self.logits = nn.Conv2d(channels, 2 * anchors, kernel_size=1)
        self.offsets = nn.Conv2d(channels, 4 * anchors, kernel_size=1)

    def forward(self, x):
        """(B, channels, H, W) features to logits (B, K, 2), ground and object, and offsets (B, K, 4)."""
        x = torch.relu(self.conv(x))
        return joined([self.logits(x)], 2), joined([self.offsets(x)], 4)


class Head(nn.Module):
    """Two dense layers on the features of a region, then its classes and, for each class, its offsets.

    Args:
        num_features: of a region.
        hidden: units of the dense layers.
        num_classes: with the ground, which comes first.
    """

    def __init__(self, num_features, hidden, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.fc6 = nn.Linear(num_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.logits = nn.Linear(hidden, num_classes)
        self.offsets = nn.Linear(hidden, 4 * num_classes)

    def forward(self, x):
        """(B, R, channels, size, size) features to logits (B, R, num_classes) and offsets (B, R, num_classes, 4)."""
        x = torch.flatten(x, 2)  # (B, R, num_features)
        x = torch.relu(self.fc7(torch.relu(self.fc6(x))))  # (B, R, hidden)
        return self.logits(x), torch.reshape(self.offsets(x), (-1, x.shape[1], self.num_classes, 4))


class FasterRCNN(nn.Module):
    """VGG's convolutions, the region proposal network, and a head on each proposal.

    Args:
        image_shape: height, width and channels.
        features: channels of 3x3 convolutions, and "M" for a max pooling; a convolution comes last.
        areas: square roots of the anchors' areas, in pixels.
        ratios: of their heights to their widths.
        candidates: the anchors' best boxes, among which suppression chooses.
        proposals: how many of them the head looks at.
        pool_size: height and width of a proposal's features.
        hidden_dim: units of the head's dense layers.
        samples: anchors and proposals of a picture that learn.
        num_classes: without the ground.
    """

    def __init__(
        self,
        image_shape,
        features,
        areas,
        ratios,
        candidates,
        proposals,
        pool_size,
        hidden_dim,
        samples,
        num_classes,
    ):
        super().__init__()
        stride = 2 ** features.count("M")
        check_multiple(image_shape, num_classes, stride)
        map_shape = (image_shape[0] // stride, image_shape[1] // stride)
        check_proposals(proposals, candidates, map_shape[0] * map_shape[1] * len(areas) * len(ratios))
        self.features, self.samples = features, samples
        self.chosen, self.pool_size = (candidates, proposals), pool_size
        widths = [image_shape[2], *(each for each in features if each != "M")]
        self.convs = nn.ModuleList(conv3x3(*pair) for pair in pairwise(widths[:-1]))
        self.last_conv = conv3x3(*widths[-2:])
        self.pool = nn.MaxPool2d(2)
        self.rpn = RPN(widths[-1], len(areas) * len(ratios))
        self.head = Head(widths[-1] * pool_size**2, hidden_dim, 1 + num_classes)
        self.anchors = nn.Buffer(grid_anchors(map_shape, image_shape, areas, ratios), persistent=False)

    def forward(self, x):
        """(B, C, H, W) images to what both stages say, `boxes` (B, proposals, classes, 4) and their `scores`."""
        x = self.trunk(x)  # (B, channels, H / stride, W / stride)
        rpn_logits, rpn_offsets = self.rpn(x)
        proposals = propose(rpn_logits, rpn_offsets, self.anchors, *self.chosen)
        logits, offsets = self.head(roi_align(x, proposals, self.pool_size))
        offsets = offsets * torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device)
        boxes = torch.clamp(decode(offsets, proposals[:, :, None]), 0, 1)  # (B, proposals, 1 + classes, 4)
        return {
            "rpn_logits": rpn_logits,
            "rpn_offsets": rpn_offsets,
            "proposals": proposals,
            "logits": logits,
            "boxes": boxes[:, :, 1:],
            "scores": torch.softmax(logits, dim=-1)[..., 1:],
        }

    def trunk(self, x):
        """(B, C, H, W) images to the features that both stages share."""
        convs = iter([*self.convs, self.last_conv])
        for each in self.features:
            x = self.pool(x) if each == "M" else torch.relu(next(convs)(x))
        return x


def detection_losses(model, batch):
    """The losses of both stages by name, each the mean over what was sampled in the batch."""
    x = model.trunk(batch["x"])
    rpn_logits, rpn_offsets = model.rpn(x)
    proposals = propose(rpn_logits, rpn_offsets, model.anchors, *model.chosen)
    rois, labels, targets, counted, _ = regions(batch, proposals, model.samples[1])
    logits, offsets = model.head(roi_align(x, rois, model.pool_size))
    first = rpn_losses(batch, rpn_logits, rpn_offsets, model.samples[0])
    return {**first, **head_losses(logits, offsets, labels, targets, counted)}


PHASES = (Phase("", loss=detection_losses),)


def rpn_losses(batch, logits, offsets, samples):
    """Softmax and smooth L1 of sampled anchors, from logits (B, K, 2) and offsets (B, K, 4)."""
    labels = batch["anchor_labels"]  # (B, K): 1 for an object, 0 for the ground, -1 for neither
    counted = sampled(labels == 1, labels == 0, batch["anchor_draws"], samples, 1 / 2)
    softmax = F.cross_entropy(logits.transpose(1, 2), torch.clamp(labels, min=0), reduction="none")
    positive = counted * (labels == 1).to(logits.dtype)
    smooth_l1 = smooth(batch["anchor_offsets"], offsets, BETA)
    total = torch.sum(counted)
    return {"rpn_class": torch.sum(counted * softmax) / total, "rpn_box": torch.sum(positive * smooth_l1) / total}


def head_losses(logits, offsets, labels, targets, counted):
    """Softmax, and smooth L1 of the offsets for the true class, of sampled regions."""
    softmax = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    kinds = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)  # (B, R, 1 + classes)
    positive = counted * (labels > 0).to(logits.dtype)
    smooth_l1 = smooth(targets, torch.sum(offsets * kinds[..., None], dim=2), 1.0)
    total = torch.sum(counted)
    return {"class": torch.sum(counted * softmax) / total, "box": torch.sum(positive * smooth_l1) / total}


def propose(logits, offsets, anchors, candidates, proposals):
    """Logits (B, K, 2) and offsets (B, K, 4) of all anchors to boxes (B, proposals, 4), the best first."""
    logits, offsets = logits.detach(), offsets.detach()
    boxes = torch.clamp(decode(offsets, anchors), 0, 1)  # (B, K, 4)
    order = torch.argsort(logits[..., 0] - logits[..., 1], dim=-1, stable=True)[:, :candidates]
    boxes = taken(boxes, order)  # (B, candidates, 4)
    removed = suppressed(boxes, OVERLAP).int()
    order = torch.argsort(removed, dim=-1, stable=True)[:, :proposals]
    return taken(boxes, order)


def regions(batch, proposals, samples):
    """Sampled true boxes and proposals: with labels, offsets, 1 for those that count, and the places of their truth."""
    boxes = torch.cat([batch["boxes"], proposals], dim=1)
    draws = torch.cat([batch["truth_draws"], batch["proposal_draws"]], dim=1)
    iou = overlaps(boxes, batch["boxes"])  # (B, M + proposals, M), 0 with padding
    best = torch.argmax(iou, dim=-1)
    found = torch.amax(iou, dim=-1) >= OBJECT
    labels = torch.where(found, 1 + torch.gather(batch["classes"], 1, best), 0)
    there = boxes[..., 2] > boxes[..., 0]  # not padding
    counted = sampled(found, there & ~found, draws, samples, 1 / 4)

    firsts = 2 * counted * (1 + found.to(draws.dtype))  # those that count, and of them those with an object
    order = torch.argsort(draws - firsts, dim=-1)[:, :samples]
    boxes, best = taken(boxes, order), torch.gather(best, 1, order)
    labels, counted = torch.gather(labels, 1, order), torch.gather(counted, 1, order)
    true = taken(batch["boxes"], best)
    whole = torch.tensor((0.0, 0.0, 1.0, 1.0), dtype=boxes.dtype, device=boxes.device)  # for the ground, without log 0
    found = labels[..., None] > 0
    targets = encode(torch.where(found, true, whole), torch.where(found, boxes, whole))
    return boxes, labels, targets / torch.tensor(VARIANCES, dtype=boxes.dtype, device=boxes.device), counted, best


def taken(boxes, order):
    """Those of (B, K, 4) boxes whose places are (B, R), (B, R, 4)."""
    return torch.take_along_dim(boxes, order[..., None], dim=1)


def sampled(positive, negative, draws, count, share):
    """1 for those of (B, K) that learn: `count` of a row, positive ones up to a share of it, by their largest draws."""
    first = positive & (rank(torch.where(positive, draws, -draws)) < int(count * share))
    left = count - torch.sum(first, dim=-1, keepdim=True)
    second = negative & (rank(torch.where(negative, draws, -draws)) < left)
    return (first | second).to(draws.dtype)


def rank(values):
    """How many of a row (B, K) are larger, (B, K)."""
    return torch.argsort(torch.argsort(-values, dim=-1), dim=-1)


def smooth(targets, offsets, beta):
    """Smooth L1 between (B, K, 4), square up to beta and linear from there, summed: (B, K)."""
    return torch.sum(F.smooth_l1_loss(offsets, targets, reduction="none", beta=beta), dim=-1)


def suppressed(boxes, threshold):
    """Which of (B, K, 4) boxes, the best first, overlap a better one that stays by more than the threshold, (B, K)."""
    ranks = torch.arange(boxes.shape[1], device=boxes.device)
    near = (overlaps(boxes, boxes) > threshold) & (ranks > ranks[:, None])  # (B, K, K), of the worse ones
    removed = torch.zeros_like(boxes[..., 0], dtype=torch.bool)
    for number in range(boxes.shape[1]):  # differs: PyTorch loops in Python
        removed = removed | (near[:, number] & ~removed[:, number, None])
    return removed


def overlaps(boxes, others):
    """Intersection over union of (B, M, 4) and (B, N, 4) boxes, (B, M, N); 0 where both are empty."""
    low = torch.maximum(boxes[:, :, None, :2], others[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], others[:, None, :, 2:])
    shared = torch.prod(torch.clamp(high - low, min=0), dim=-1)  # (B, M, N)
    area, other = (torch.prod(each[..., 2:] - each[..., :2], dim=-1) for each in (boxes, others))
    return shared / torch.clamp(area[:, :, None] + other[:, None] - shared, min=1e-12)


def roi_align(features, boxes, size):
    """Features (B, C, H, W) within boxes (B, R, 4), (B, R, C, size, size): means of two by two samples a bin."""
    steps = (torch.arange(2 * size, dtype=boxes.dtype, device=boxes.device) + 0.5) / (2 * size)
    sides = boxes[..., 2:] - boxes[..., :2]
    places = boxes[:, :, None, :2] + steps[:, None] * sides[:, :, None]  # (B, R, 2 * size, 2), shares of the picture
    x, y = places[..., 0], places[..., 1]
    x, y = torch.broadcast_tensors(x[:, :, None], y[..., None])  # differs: for grid_sample, which Keras does not have
    grid = torch.flatten(2 * torch.stack([x, y], dim=-1) - 1, 1, 2)  # (B, R * 2 * size, 2 * size, 2)
    x = F.avg_pool2d(F.grid_sample(features, grid, padding_mode="border", align_corners=False), 2)
    return torch.reshape(x, (*x.shape[:2], -1, size, size)).transpose(1, 2)


def grid_anchors(map_shape, image_shape, areas, ratios):
    """Anchors at every place of a feature map, corners as shares of the picture, (K, 4): from left to right, then down.

    Args:
        map_shape: height and width of the map.
        image_shape: height and width of the picture, in pixels.
        areas: square roots of the anchors' areas, in pixels.
        ratios: of their heights to their widths.
    """
    height, width = image_shape[:2]
    areas, ratios = (torch.tensor(each, dtype=torch.float64) for each in (areas, ratios))
    shapes = scales_and_ratios(areas, ratios)  # (A, 4)
    shapes = shapes / torch.tensor((width, height, width, height), dtype=shapes.dtype)
    y, x = ((torch.arange(side, dtype=shapes.dtype) + 0.5) / side for side in map_shape)
    y, x = torch.meshgrid(y, x, indexing="ij")  # (H, W)
    return torch.reshape(torch.stack([x, y, x, y], dim=-1)[:, :, None] + shapes, (-1, 4))
