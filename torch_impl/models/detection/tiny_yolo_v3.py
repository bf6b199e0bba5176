"""Tiny YOLO, third version: two grids of cells, three anchors each, on a small network.

The network is that of `yolov3-tiny.cfg`, which came with Redmon and Farhadi, "YOLOv3: an incremental improvement"
(2018) and is not in the paper; boxes and loss are those of its section 2. Convolutions and poolings lead to a coarse
grid. Its features are doubled in size and joined with finer ones for a second grid. Each anchor of a cell says how far
the centre lies in the cell, by a sigmoid, so that it never leaves it; how much larger than the anchor the box is, by an
exponential; whether an object is there; and of each class whether it is one, by sigmoids of their own, so that classes
need not exclude each other.

An object trains the anchor whose shape fits it best, in the cell of its centre. Anchors whose box overlaps an object by
more than a half, without being the best, have no loss for objectness. All others learn that nothing is there.

Departures: what each anchor is to say comes with the batch. It is decided by the anchor, as in the paper, where the
code decides by what the network has just predicted. The three finest anchors are the fine grid's, as the configuration
has it; some converted weights use the second to the fourth.

Slides: deck A and deck C, YOLO; three anchors at a place.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import cornered
from twin.shapes import check_multiple

SLOPE = 0.1  # of the leaky ReLUs below 0


class ConvLayer(nn.Module):
    """A convolution without bias, BatchNorm and a leaky ReLU.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel_size: height and width of the filters.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels, channels, kernel_size, stride=1):
        super().__init__()
        self.stride, self.margin = stride, kernel_size // 2
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride=stride, padding=self.margin, bias=False)
        self.bn = nn.BatchNorm2d(channels, momentum=0.1, eps=1e-5)

    def forward(self, x):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        return F.leaky_relu(self.bn(self.conv(x)), negative_slope=SLOPE)


class TinyYOLOv3(nn.Module):
    """Convolutions and poolings to a coarse grid, and back up to a fine one.

    Args:
        image_shape: height, width and channels; both sides are multiples of what the poolings leave of them.
        widths: channels of the convolutions that a pooling follows; the last one's are what the fine grid reads.
        deep: channels of the two convolutions at the coarse grid.
        neck: channels of the two convolutions of the coarse grid's output.
        up: channels that go up to the fine grid.
        head: channels of the convolution of the fine grid's output.
        anchors: of the coarse and of the fine grid, widths and heights as shares of the picture.
        num_classes: classes that are told apart.
    """

    def __init__(self, image_shape, widths, deep, neck, up, head, anchors, num_classes):
        super().__init__()
        check_multiple(image_shape, num_classes, 2 ** len(widths))
        self.anchors, self.num_classes = anchors, num_classes
        coarse, fine = (len(each) * (5 + num_classes) for each in anchors)
        channels = (image_shape[2], *widths)
        self.convs = nn.ModuleList(ConvLayer(*pair, 3) for pair in zip(channels, widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.deep1 = ConvLayer(widths[-1], deep[0], 3)
        self.deep2 = ConvLayer(deep[0], deep[1], 3)
        self.neck1 = ConvLayer(deep[1], neck[0], 1)
        self.neck2 = ConvLayer(neck[0], neck[1], 3)
        self.coarse = nn.Conv2d(neck[1], coarse, kernel_size=1)
        self.up = ConvLayer(neck[0], up, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = ConvLayer(up + widths[-1], head, 3)
        self.fine = nn.Conv2d(head, fine, kernel_size=1)

    def forward(self, x):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, C, H, W) images to `raw` numbers (B, K, 5 + classes) of all anchors, and their `boxes` and `scores`."""
        for conv in self.convs:
            route = conv(x)  # (B, channels, 2 * S, 2 * S), the last time
            x = self.pool(route)
        x = self.deep1(x)  # (B, channels, S, S)
        x = F.max_pool2d(
            F.pad(x, (0, 1, 0, 1), value=-torch.inf), kernel_size=2, stride=1
        )  # differs: Keras pads so itself
        x = self.neck1(self.deep2(x))
        coarse = self.coarse(self.neck2(x))  # (B, anchors * (5 + classes), S, S)
        x = self.upsample(self.up(x))  # (B, up, 2 * S, 2 * S)
        x = torch.cat([x, route], dim=1)
        fine = self.fine(self.head(x))  # (B, anchors * (5 + classes), 2 * S, 2 * S)
        return detect([coarse, fine], self.anchors)

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """The loss of all anchors, mean over the batch."""
        return yolo_loss(y, y_pred["raw"])


def detect(maps, anchors):
    """Grids (B, numbers, S, S) to `raw` (B, K, 5 + classes), `boxes` (B, K, 4) and `scores` (B, K, classes).

    A cell has 5 + classes numbers for each of its anchors: x, y, width, height, objectness and the classes. K goes grid
    by grid, row by row, cell by cell, anchor by anchor.
    """
    raws, boxes = [], []
    for grid, shapes in zip(maps, anchors, strict=True):
        grid = grid.permute(0, 2, 3, 1)  # differs: (B, S, S, anchors * (5 + classes)), as Keras has it
        rows, columns = grid.shape[1:3]
        raw = torch.reshape(grid, (-1, rows, columns, len(shapes), grid.shape[-1] // len(shapes)))
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        cells = torch.stack([x, y], dim=-1).to(raw)[:, :, None]  # (S, S, 1, 2)
        sides = torch.tensor([columns, rows], dtype=raw.dtype, device=raw.device)
        centres = (torch.sigmoid(raw[..., :2]) + cells) / sides
        sizes = torch.tensor(shapes, dtype=raw.dtype, device=raw.device) * torch.exp(raw[..., 2:4])
        boxes.append(torch.reshape(cornered(centres, sizes), (-1, rows * columns * len(shapes), 4)))
        raws.append(torch.reshape(raw, (-1, rows * columns * len(shapes), raw.shape[-1])))
    raw = torch.cat(raws, dim=1)
    scores = torch.sigmoid(raw[..., 4:5]) * torch.sigmoid(raw[..., 5:])
    return {"raw": raw, "boxes": torch.cat(boxes, dim=1), "scores": scores}


def yolo_loss(y, raw):
    """Squares for coordinates, cross-entropies for objectness and classes: summed over a picture, mean over pictures.

    Args:
        y: `offsets` (B, K, 4), `objectness` (B, K): 1, 0, or -1 where it has no loss, and `labels` (B, K).
        raw: (B, K, 5 + classes).
    """
    here = (y["objectness"] == 1).to(raw.dtype)  # (B, K)
    counted = (y["objectness"] >= 0).to(raw.dtype)
    labels = F.one_hot(torch.clamp(y["labels"], min=0), raw.shape[-1] - 5).to(raw.dtype)

    places = torch.cat([torch.sigmoid(raw[..., :2]), raw[..., 2:4]], dim=-1)
    coordinates = here * torch.sum(torch.square(places - y["offsets"]), dim=-1)
    objectness = counted * F.binary_cross_entropy_with_logits(raw[..., 4], here, reduction="none")
    kinds = F.binary_cross_entropy_with_logits(raw[..., 5:], labels, reduction="none")
    kinds = here * torch.sum(kinds, dim=-1)
    return torch.mean(torch.sum(coordinates + objectness + kinds, dim=1))
