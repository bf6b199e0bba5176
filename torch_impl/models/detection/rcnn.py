"""R-CNN: regions with CNN features. Each proposed region is cut out, warped to one size, and classified by itself.

Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies for accurate object detection and semantic segmentation"
(2014), section 2. A method that knows no classes proposes regions; a network made for classification, AlexNet, takes
each of them as if it were a picture. Whatever its shape, a region is warped to the network's input, with a margin of
the picture around it (appendix A). The last map, after its pooling, also says how to move the box (appendix C). The
network runs once for each region: this is what Fast R-CNN saves.

Warping is bilinear, and so are two matrix products: each row of the first says which pixels of a column make a pixel of
the region, and with which weights.

Departures: a softmax with the ground as one class, and boxes trained with it, where the paper trains support vector
machines and ridge regressions afterwards; all regions of a picture train; weights are drawn, where the paper begins
with those from ImageNet; the picture's mean is taken as 0 where the margin leaves it.

Slides: deck C, R-CNN.
"""

import torch
from torch import nn

from torch_impl.exercises.detection.anchors import centred, decode
from torch_impl.models.detection.fast_rcnn import multi_task_loss
from torch_impl.models.detection.ssd import VARIANCES
from twin.shapes import check_regions


class RCNN(nn.Module):
    """AlexNet on each region: convolutions, two dense layers, and two outputs.

    Args:
        image_shape: height, width and channels.
        side: height and width of a warped region.
        context: pixels of it, on each side, that show what is around the region.
        features: convolutions as (channels, kernel size, stride, groups), those of stride 1 padded to keep their size;
            "N" for local response normalization and "M" for a max pooling. A pooling follows the last convolution.
        hidden_dim: units in each dense layer.
        dropout: share of them that dropout silences.
        num_classes: without the ground.
    """

    def __init__(self, image_shape, side, context, features, hidden_dim, dropout, num_classes):
        super().__init__()
        left = check_regions(image_shape, side, context, features, num_classes)
        self.side, self.context, self.features, self.num_classes = side, context, features, num_classes
        convs = [each for each in features if each not in ("M", "N")]
        widths = [image_shape[2], *[each[0] for each in convs]]
        self.convs = nn.ModuleList(map(convolution, widths[:-2], convs[:-1]))
        self.norm = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)  # as Caffe has it
        self.last = convolution(widths[-2], convs[-1])
        self.pool = nn.MaxPool2d(3, stride=2)
        self.flatten = nn.Flatten()
        self.fc6 = nn.Linear(widths[-1] * left**2, hidden_dim)
        self.dropout6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(hidden_dim, hidden_dim)
        self.dropout7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(hidden_dim, 1 + num_classes)
        self.bbox = nn.Linear(widths[-1] * left**2, 4 * num_classes)

    def forward(self, x, proposals):  # differs: Keras packs inputs, and passes the mode in
        """(B, C, H, W) images and (B, R, 4) proposals to what each says.

        Returns:
            `logits` (B, R, 1 + classes), with the ground; `offsets` and `boxes` (B, R, classes, 4) and `scores`
            (B, R, classes) without it.
        """
        batch, count = proposals.shape[:2]
        x = torch.flatten(warp(x, proposals, self.side, self.context), 0, 1)  # (B * R, C, side, side)
        convs = iter([*self.convs, self.last])
        for each in self.features:
            x = self.pool(x) if each == "M" else self.norm(x) if each == "N" else torch.relu(next(convs)(x))
        pool5 = self.flatten(self.pool(x))  # (B * R, channels * left * left)
        x = self.dropout6(torch.relu(self.fc6(pool5)))  # (B * R, hidden_dim)
        x = self.dropout7(torch.relu(self.fc7(x)))
        logits = torch.reshape(self.fc8(x), (batch, count, 1 + self.num_classes))
        offsets = torch.reshape(self.bbox(pool5), (batch, count, self.num_classes, 4))
        variances = torch.tensor(VARIANCES, dtype=offsets.dtype, device=offsets.device)
        boxes = decode(offsets * variances, proposals[:, :, None])
        return {"logits": logits, "offsets": offsets, "boxes": boxes, "scores": torch.softmax(logits, dim=-1)[..., 1:]}

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """Softmax and smooth L1, mean over the regions."""
        return multi_task_loss(y, y_pred)


def convolution(in_channels, conv):
    """A convolution (channels, kernel size, stride, groups); at stride 1 it keeps height and width."""
    channels, kernel, stride, groups = conv
    padding = "same" if stride == 1 else "valid"
    return nn.Conv2d(in_channels, channels, kernel_size=kernel, stride=stride, padding=padding, groups=groups)


def warp(x, regions, side, context):
    """Regions of pictures, each with a margin around it, all of one size, bilinear; what is outside is 0.

    Args:
        x: (B, C, H, W).
        regions: (B, R, 4), left, top, right, bottom as shares of the picture.
        side: height and width of a warped region.
        context: pixels of it, on each side, for the margin.

    Returns:
        (B, R, C, side, side).
    """
    height, width = x.shape[2:]
    centre, size = centred(regions)
    size = size * side / (side - 2 * context)
    shares = (torch.arange(side, dtype=x.dtype, device=x.device) + 0.5) / side - 0.5  # of the size, from the centre
    across = (centre[..., :1] + size[..., :1] * shares) * width - 0.5  # (B, R, side), in pixels of the picture
    down = (centre[..., 1:] + size[..., 1:] * shares) * height - 0.5
    columns = torch.clamp(1 - torch.abs(across[..., None] - torch.arange(width, device=x.device)), min=0)
    rows = torch.clamp(1 - torch.abs(down[..., None] - torch.arange(height, device=x.device)), min=0)  # (B, R, side, H)
    lines = torch.einsum("brih,bchw->brciw", rows, x)
    return torch.einsum("brciw,brjw->brcij", lines, columns)
