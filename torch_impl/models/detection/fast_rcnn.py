"""Fast R-CNN: one pass of a network over the whole picture, from whose features every proposed region is classified.

Girshick, "Fast R-CNN" (2015), section 2. R-CNN runs its network once for each region; here the convolutions see the
picture once, and RoI pooling takes from their map what lies in a region: it divides the region into a fixed number of
bins and keeps the largest feature of each. Two dense layers and two outputs follow: classes, the ground among them,
and for each class the offsets of its box from the region. One loss trains both: a softmax, and smooth L1 for the
offsets of the true class. In the
authors' code the ground has offsets too, which nothing reads, and so here.

Bins have different sizes, where a compiled program wants one. The largest feature in a rectangle of any size is that of
four rectangles whose sides are powers of two and that may overlap; maps of these are computed once, and a bin takes
four numbers from them ("sparse table": Bender and Farach-Colton, "The LCA problem revisited", 2000, section 3).

Departures: proposals and what each is to say come with the batch, as in the paper, but all regions of a picture train
instead of 64 that are sampled; weights are drawn, where the paper begins with VGG's from ImageNet.

Slides: deck C, Fast R-CNN.
"""

import math
from itertools import accumulate, pairwise

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import decode
from torch_impl.models.detection.ssd import VARIANCES, conv3x3
from twin.shapes import check_multiple


class FastRCNN(nn.Module):
    """VGG up to its last convolution, RoI pooling, two dense layers, and two outputs for each region.

    Args:
        image_shape: height, width and channels; both sides are divisible by the poolings.
        features: channels of VGG's 3x3 convolutions, and "M" for a max pooling.
        pool_size: bins of a region, across and down.
        hidden_dim: units in each dense layer.
        dropout: share of them that dropout silences.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, features, pool_size, hidden_dim, dropout, num_classes):
        super().__init__()
        self.stride = 2 ** features.count("M")
        check_multiple(image_shape, num_classes, self.stride)
        self.features, self.pool_size, self.num_classes = features, pool_size, num_classes
        widths = [image_shape[2], *[each for each in features if each != "M"]]
        self.convs = nn.ModuleList(conv3x3(*pair) for pair in pairwise(widths[:-1]))
        self.last = conv3x3(*widths[-2:])
        self.pool = nn.MaxPool2d(2)
        self.fc6 = nn.Linear(widths[-1] * pool_size**2, hidden_dim)
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(hidden_dim, hidden_dim)
        self.dropout7 = nn.Dropout(dropout)
        self.cls_score = nn.Linear(hidden_dim, 1 + num_classes)
        self.bbox_pred = nn.Linear(hidden_dim, 4 * (1 + num_classes))

    def forward(self, x, proposals):  # differs: Keras packs inputs, and passes the mode in
        """(B, C, H, W) images and (B, R, 4) proposals to what each says.

        Returns:
            `logits` (B, R, 1 + classes), with the ground; `offsets` and `boxes` (B, R, classes, 4) and `scores`
            (B, R, classes) without it.
        """
        convs = iter([*self.convs, self.last])
        for each in self.features:
            x = self.pool(x) if each == "M" else torch.relu(next(convs)(x))
        x = roi_pool(x, proposals, self.stride, self.pool_size)  # (B, R, channels, bins, bins)
        x = torch.flatten(x, start_dim=2)  # (B, R, channels * bins * bins)
        x = self.dropout6(torch.relu(self.fc6(x)))  # (B, R, hidden_dim)
        x = self.dropout7(torch.relu(self.fc7(x)))
        logits = self.cls_score(x)
        offsets = torch.unflatten(self.bbox_pred(x), -1, (1 + self.num_classes, 4))[:, :, 1:]
        variances = torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device)
        boxes = decode(offsets * variances, proposals[:, :, None])
        return {"logits": logits, "offsets": offsets, "boxes": boxes, "scores": torch.softmax(logits, dim=-1)[..., 1:]}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """The loss of section 2.3 with a weight of 1 for the boxes, mean over the regions."""
        return multi_task_loss(y, y_pred)


def multi_task_loss(y, y_pred):
    """Softmax over the classes and the ground, and smooth L1 of the true class's offsets, mean over the regions."""
    logits, offsets = y_pred["logits"], y_pred["offsets"]
    softmax = F.cross_entropy(logits.transpose(1, 2), y["labels"], reduction="none")  # (B, R)
    kind = torch.clamp(y["labels"] - 1, min=0).long()[..., None, None]
    theirs = torch.take_along_dim(offsets, kind, dim=2)[:, :, 0]  # (B, R, 4)
    smooth_l1 = torch.sum(F.smooth_l1_loss(theirs, y["offsets"], reduction="none"), dim=-1)  # (B, R)
    return torch.mean(softmax + (y["labels"] > 0) * smooth_l1)


def roi_pool(features, regions, stride, size):
    """RoI max pooling: the largest feature of each of size x size bins of a region, 0 where a bin is empty.

    The edges of a region are rounded to pixels, and these to places of the map, both of which belong to it. Bins share
    a place where the region does not divide evenly.

    Args:
        features: (B, channels, H, W).
        regions: (B, R, 4), left, top, right, bottom as shares of the picture, to which they are clipped.
        stride: pixels of the picture in a place of the map.
        size: bins, across and down.

    Returns:
        (B, R, channels, size, size).
    """
    height, width = features.shape[2:]
    sides = torch.tensor([width, height, width, height], dtype=regions.dtype, device=regions.device)
    pixels = torch.floor(torch.clamp(regions, 0, 1) * sides * stride + 0.5)
    left, top, right, bottom = torch.unbind(torch.floor(pixels / stride + 0.5).long(), dim=-1)  # (B, R) each

    sizes = [(2**i, 2**j) for i in range(powers(height, size)) for j in range(powers(width, size))]
    maps = [F.max_pool2d(features, each, stride=1) for each in sizes]
    starts = torch.tensor([0, *accumulate(math.prod(each.shape[2:]) for each in maps)], device=features.device)
    table = torch.cat([torch.flatten(each, start_dim=2) for each in maps], dim=2)  # (B, channels, places of all maps)

    high, rows, no_rows = windows(top, bottom, height, size)
    wide, columns, no_columns = windows(left, right, width, size)
    row_length = width + 1 - 2**wide  # of the map whose rectangles are so wide; (B, R, size)
    place = starts[high[..., :, None] * powers(width, size) + wide[..., None, :]][..., None, None]
    place = place + rows[..., :, None, :, None] * row_length[..., None, :, None, None]
    place = place + columns[..., None, :, None, :]  # (B, R, size, size, 2, 2)

    index = torch.flatten(place, start_dim=1)[:, None].expand(-1, features.shape[1], -1)  # differs: for each channel
    found = torch.unflatten(torch.gather(table, 2, index), 2, place.shape[1:])  # (B, channels, R, size, size, 2, 2)
    one, other = torch.unbind(torch.maximum(*torch.unbind(found, dim=-2)), dim=-1)
    empty = (no_rows[..., :, None] | no_columns[..., None, :])[:, None]  # (B, 1, R, size, size)
    return torch.transpose(torch.where(empty, 0, torch.maximum(one, other)), 1, 2)


def powers(limit, size):
    """How many powers of two, from 1 on, a bin may hold: a region has at most one place more than the map."""
    return min(limit, limit // size + 2).bit_length()


def windows(first, last, limit, size):
    """Two windows of 2**level places that together are a bin, for each of the bins along one side of regions.

    Args:
        first, last: (B, R) places, both of the region.
        limit: places of the map.
        size: bins.

    Returns:
        `level` (B, R, size), where both windows begin (B, R, size, 2), and whether the bin is empty (B, R, size).
    """
    length = torch.clamp(last - first + 1, min=1)[..., None]
    number = torch.arange(size, device=first.device)
    begin = torch.clamp(first[..., None] + number * length // size, max=limit)
    end = torch.clamp(first[..., None] + ((number + 1) * length + size - 1) // size, max=limit)
    empty = begin == end
    begin = torch.where(empty, 0, begin)
    held = torch.clamp(end - begin, min=1)
    level = sum(((held >= 2**power).long() for power in range(1, powers(limit, size))), torch.zeros_like(held))
    return level, torch.stack([begin, begin + held - 2**level], dim=-1), empty
