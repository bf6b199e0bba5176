"""YOLO, first version: one network looks once and says everything, cell by cell.

Redmon, Divvala, Girshick, Farhadi, "You only look once: unified, real-time object detection" (2016), sections 2 to 2.2
and figure 3. The picture is divided into a grid. The cell that holds the centre of an object answers for it: it gives
a few boxes, for each the confidence that an object is there and the box is good, and one class for the cell. All of it
is regressed by two dense layers on the features of the whole picture, with a squared error. Of a cell's boxes, the one
that overlaps the true one most is responsible, and only it learns coordinates; its confidence learns the overlap. The
other confidences learn 0, at a tenth of the weight of coordinates, because most cells are empty. Width and height are
given as roots, so that an error counts more in a small box.

Departures: the output is the root itself and is squared, which no negative output can spoil; no pre-training on
ImageNet, and another rate of learning. Which cell and which class is right comes with the batch; which box is
responsible depends on the output, and is taken without a gradient.

Slides: deck A, the grid, the 98 boxes of 7 x 7 cells; deck C, 7 x 7 x 30 = 1470 outputs.
"""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.exercises.detection.anchors import cornered
from twin.shapes import check_grid

LAMBDA_COORD, LAMBDA_NOOBJ = 5.0, 0.5  # section 2.2
SLOPE = 0.1  # of the leaky ReLUs below 0


class ConvLayer(nn.Module):
    """A convolution that keeps height and width, or divides them by its stride, and a leaky ReLU.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        kernel_size: height and width of the filters.
        stride: 2 halves height and width.
    """

    def __init__(self, in_channels, channels, kernel_size, stride):
        super().__init__()
        self.stride, self.margin = stride, kernel_size // 2
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride=stride, padding=self.margin)

    def forward(self, x):
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        return F.leaky_relu(self.conv(x), negative_slope=SLOPE)


class YOLOv1(nn.Module):
    """Convolutions with max pooling, two dense layers, and a grid of cells.

    Args:
        image_shape: height, width and channels.
        features: convolutions as (channels, kernel size, stride), and "M" for a max pooling that halves.
        last_channels: channels of the last convolution, 3x3.
        hidden_dim: width of the first dense layer.
        dropout: share of its units that dropout silences in training.
        grid: cells across and down: what is left of the picture's height and width.
        boxes_per_cell: boxes that a cell gives.
        num_classes: classes that a cell tells apart.
    """

    def __init__(self, image_shape, features, last_channels, hidden_dim, dropout, grid, boxes_per_cell, num_classes):
        super().__init__()
        check_grid(image_shape, grid, [2 if each == "M" else each[2] for each in features], num_classes)
        self.grid, self.boxes_per_cell, self.num_classes = grid, boxes_per_cell, num_classes
        channels = image_shape[2]
        self.convs = nn.ModuleList()
        for width, kernel_size, stride in (each for each in features if each != "M"):
            self.convs.append(ConvLayer(channels, width, kernel_size, stride))
            channels = width
        self.features = features
        self.last = ConvLayer(channels, last_channels, kernel_size=3, stride=1)
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dense1 = nn.Linear(grid * grid * last_channels, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.dense2 = nn.Linear(hidden_dim, grid * grid * (boxes_per_cell * 5 + num_classes))

    def forward(self, x):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, C, H, W) images to `grid`, (B, S, S, boxes * 5 + classes), and its `boxes` and `scores`.

        A cell's numbers are x, y, the roots of width and height, and the confidence of each box, then its classes.
        """
        convs = iter(self.convs)
        for each in self.features:
            x = self.pool(x) if each == "M" else next(convs)(x)
        x = self.flatten(self.last(x))  # (B, last_channels, S, S), then flat
        x = F.leaky_relu(self.dense1(x), negative_slope=SLOPE)  # (B, hidden_dim)
        x = self.dense2(self.dropout(x))
        numbers = self.boxes_per_cell * 5 + self.num_classes
        x = torch.reshape(x, (-1, self.grid, self.grid, numbers))  # (B, S, S, numbers)
        boxes, confidence, classes = self.parts(x)
        confidence, classes = torch.clip(confidence, 0, 1), torch.clip(classes, 0, 1)
        scores = confidence[..., None] * classes[..., None, :]  # (B, S, S, boxes, classes)
        return {
            "grid": x,
            "boxes": torch.reshape(self.place(boxes), (-1, self.grid**2 * self.boxes_per_cell, 4)),
            "scores": torch.reshape(scores, (-1, self.grid**2 * self.boxes_per_cell, self.num_classes)),
        }

    def parts(self, x):
        """The grid (B, S, S, numbers) as boxes (B, S, S, boxes, 4), confidences (B, S, S, boxes) and classes."""
        numbers = x[..., : self.boxes_per_cell * 5]
        numbers = torch.reshape(numbers, (-1, self.grid, self.grid, self.boxes_per_cell, 5))
        return numbers[..., :4], numbers[..., 4], x[..., self.boxes_per_cell * 5 :]

    def place(self, boxes):
        """Boxes (B, S, S, boxes, 4) as a cell gives them, to corners as shares of the picture."""
        cells = torch.arange(self.grid, dtype=boxes.dtype, device=boxes.device)
        y, x = torch.meshgrid(cells, cells, indexing="ij")
        centres = (boxes[..., :2] + torch.stack([x, y], dim=-1)[:, :, None]) / self.grid
        return cornered(centres, torch.square(boxes[..., 2:]))

    def compute_loss(self, x, y, y_pred):  # differs: Keras's fit passes more
        """The sum of squares of section 2.2, mean over the batch."""
        boxes, confidence, classes = self.parts(y_pred["grid"])
        here = (y["cell_classes"] >= 0).to(boxes.dtype)  # (B, S, S): a cell with an object
        roots = y["cell_boxes"][..., None, :]  # (B, S, S, 1, 4): x, y and the roots of width and height
        overlap = self.overlaps(self.place(boxes), self.place(roots)).detach()  # (B, S, S, boxes)
        responsible = F.one_hot(torch.argmax(overlap, dim=-1), self.boxes_per_cell) * here[..., None]

        coordinates = torch.sum(responsible * torch.sum(torch.square(boxes - roots), dim=-1), dim=(1, 2, 3))  # (B,)
        objects = torch.sum(responsible * torch.square(confidence - overlap), dim=(1, 2, 3))
        background = torch.sum((1 - responsible) * torch.square(confidence), dim=(1, 2, 3))
        labels = F.one_hot(torch.clamp(y["cell_classes"], min=0), self.num_classes)  # any class for -1
        kinds = torch.sum(here[..., None] * torch.square(classes - labels), dim=(1, 2, 3))
        return torch.mean(LAMBDA_COORD * coordinates + objects + LAMBDA_NOOBJ * background + kinds)

    def overlaps(self, boxes, others):
        """IoU of boxes (..., 4) and others, one by one, (...)."""
        low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
        shared = torch.prod(torch.clamp(high - low, min=0), dim=-1)
        areas = [torch.prod(each[..., 2:] - each[..., :2], dim=-1) for each in (boxes, others)]
        return shared / torch.clamp(areas[0] + areas[1] - shared, min=1e-9)
