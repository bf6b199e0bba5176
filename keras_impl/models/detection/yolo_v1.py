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

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import cornered
from keras_impl.saving import serializable
from twin.shapes import check_grid

LAMBDA_COORD, LAMBDA_NOOBJ = 5.0, 0.5  # section 2.2
SLOPE = 0.1  # of the leaky ReLUs below 0


class ConvLayer(layers.Layer):
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
        self.conv = layers.Conv2D(channels, kernel_size, strides=stride, padding="same" if stride == 1 else "valid")

    def call(self, x):
        """(B, H, W, in_channels) to (B, H / stride, W / stride, channels)."""
        if self.stride > 1:  # differs: PyTorch's convolution pads itself, alike on all sides
            x = ops.pad(x, ((0, 0), (self.margin, self.margin), (self.margin, self.margin), (0, 0)))
        return ops.leaky_relu(self.conv(x), negative_slope=SLOPE)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class YOLOv1(keras.Model):
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
        self.convs = []
        for width, kernel_size, stride in (each for each in features if each != "M"):
            self.convs.append(ConvLayer(channels, width, kernel_size, stride))
            channels = width
        self.features = features
        self.last = ConvLayer(channels, last_channels, kernel_size=3, stride=1)
        self.pool = layers.MaxPooling2D(2)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(hidden_dim)
        self.dropout = layers.Dropout(dropout)
        self.dense2 = layers.Dense(grid * grid * (boxes_per_cell * 5 + num_classes))
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, C) images to `grid`, (B, S, S, boxes * 5 + classes), and its `boxes` and `scores`.

        A cell's numbers are x, y, the roots of width and height, and the confidence of each box, then its classes.
        """
        convs = iter(self.convs)
        for each in self.features:
            x = self.pool(x) if each == "M" else next(convs)(x)
        x = self.flatten(self.last(x))  # (B, S, S, last_channels), then flat
        x = ops.leaky_relu(self.dense1(x), negative_slope=SLOPE)  # (B, hidden_dim)
        x = self.dense2(self.dropout(x, training=training))
        numbers = self.boxes_per_cell * 5 + self.num_classes
        x = ops.reshape(x, (-1, self.grid, self.grid, numbers))  # (B, S, S, numbers)
        boxes, confidence, classes = self.parts(x)
        confidence, classes = ops.clip(confidence, 0, 1), ops.clip(classes, 0, 1)
        scores = confidence[..., None] * classes[..., None, :]  # (B, S, S, boxes, classes)
        return {
            "grid": x,
            "boxes": ops.reshape(self.place(boxes), (-1, self.grid**2 * self.boxes_per_cell, 4)),
            "scores": ops.reshape(scores, (-1, self.grid**2 * self.boxes_per_cell, self.num_classes)),
        }

    def parts(self, x):
        """The grid (B, S, S, numbers) as boxes (B, S, S, boxes, 4), confidences (B, S, S, boxes) and classes."""
        numbers = x[..., : self.boxes_per_cell * 5]
        numbers = ops.reshape(numbers, (-1, self.grid, self.grid, self.boxes_per_cell, 5))
        return numbers[..., :4], numbers[..., 4], x[..., self.boxes_per_cell * 5 :]

    def place(self, boxes):
        """Boxes (B, S, S, boxes, 4) as a cell gives them, to corners as shares of the picture."""
        cells = ops.cast(ops.arange(self.grid), boxes.dtype)
        y, x = ops.meshgrid(cells, cells, indexing="ij")
        centres = (boxes[..., :2] + ops.stack([x, y], axis=-1)[:, :, None]) / self.grid
        return cornered(centres, ops.square(boxes[..., 2:]))

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The sum of squares of section 2.2, mean over the batch."""
        boxes, confidence, classes = self.parts(y_pred["grid"])
        here = ops.cast(y["cell_classes"] >= 0, boxes.dtype)  # (B, S, S): a cell with an object
        roots = ops.cast(y["cell_boxes"], boxes.dtype)[
            ..., None, :
        ]  # (B, S, S, 1, 4): x, y and the roots of width and height
        overlap = ops.stop_gradient(self.overlaps(self.place(boxes), self.place(roots)))  # (B, S, S, boxes)
        responsible = (
            ops.one_hot(ops.argmax(overlap, axis=-1), self.boxes_per_cell, dtype=boxes.dtype) * here[..., None]
        )

        coordinates = ops.sum(responsible * ops.sum(ops.square(boxes - roots), axis=-1), axis=(1, 2, 3))  # (B,)
        objects = ops.sum(responsible * ops.square(confidence - overlap), axis=(1, 2, 3))
        background = ops.sum((1 - responsible) * ops.square(confidence), axis=(1, 2, 3))
        labels = ops.one_hot(y["cell_classes"], self.num_classes, dtype=boxes.dtype)  # a row of zeros for -1
        kinds = ops.sum(here[..., None] * ops.square(classes - labels), axis=(1, 2, 3))
        return ops.mean(LAMBDA_COORD * coordinates + objects + LAMBDA_NOOBJ * background + kinds)

    def overlaps(self, boxes, others):
        """IoU of boxes (..., 4) and others, one by one, (...)."""
        low, high = ops.maximum(boxes[..., :2], others[..., :2]), ops.minimum(boxes[..., 2:], others[..., 2:])
        shared = ops.prod(ops.maximum(high - low, 0), axis=-1)
        areas = [ops.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (boxes, others)]
        return shared / ops.maximum(areas[0] + areas[1] - shared, 1e-9)
