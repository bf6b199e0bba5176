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

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import cornered
from keras_impl.saving import serializable
from twin.shapes import check_multiple

SLOPE = 0.1  # of the leaky ReLUs below 0


class ConvLayer(layers.Layer):
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
        padding = "same" if stride == 1 else "valid"  # differs: PyTorch pads alike on all sides, and so at a stride
        self.conv = layers.Conv2D(channels, kernel_size, strides=stride, padding=padding, use_bias=False)
        self.bn = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, in_channels) to (B, H / stride, W / stride, channels)."""
        if self.stride > 1:  # differs: PyTorch's convolution pads itself, alike on all sides
            x = ops.pad(x, ((0, 0), (self.margin, self.margin), (self.margin, self.margin), (0, 0)))
        return ops.leaky_relu(self.bn(self.conv(x), training=training), negative_slope=SLOPE)


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class TinyYOLOv3(keras.Model):
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
        self.convs = [ConvLayer(*pair, 3) for pair in zip(channels, widths, strict=False)]
        self.pool = layers.MaxPooling2D(2)
        self.deep1 = ConvLayer(widths[-1], deep[0], 3)
        self.deep2 = ConvLayer(deep[0], deep[1], 3)
        self.neck1 = ConvLayer(deep[1], neck[0], 1)
        self.neck2 = ConvLayer(neck[0], neck[1], 3)
        self.coarse = layers.Conv2D(coarse, kernel_size=1)
        self.up = ConvLayer(neck[0], up, 1)
        self.upsample = layers.UpSampling2D(2, interpolation="nearest")
        self.head = ConvLayer(up + widths[-1], head, 3)
        self.fine = layers.Conv2D(fine, kernel_size=1)
        # batch_size: to learn its shape, Keras on PyTorch runs UpSampling2D, with 83 and 89 pictures otherwise.
        self(keras.Input(image_shape, batch_size=1))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=False):  # differs: Keras passes the mode, PyTorch's modules know theirs
        """(B, H, W, C) images to `raw` numbers (B, K, 5 + classes) of all anchors, and their `boxes` and `scores`."""
        for conv in self.convs:
            route = conv(x, training=training)  # (B, 2 * S, 2 * S, channels), the last time
            x = self.pool(route)
        x = self.deep1(x, training=training)  # (B, S, S, channels)
        x = ops.max_pool(x, pool_size=2, strides=1, padding="same")  # differs: pads right and below, by -inf
        x = self.neck1(self.deep2(x, training=training), training=training)
        coarse = self.coarse(self.neck2(x, training=training))  # (B, S, S, anchors * (5 + classes))
        x = self.upsample(self.up(x, training=training))  # (B, 2 * S, 2 * S, up)
        x = ops.concatenate([x, route], axis=-1)
        fine = self.fine(self.head(x, training=training))  # (B, 2 * S, 2 * S, anchors * (5 + classes))
        return detect([coarse, fine], self.anchors)

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss of all anchors, mean over the batch."""
        return yolo_loss(y, y_pred["raw"])


def detect(maps, anchors):
    """Grids (B, S, S, numbers) to `raw` (B, K, 5 + classes), `boxes` (B, K, 4) and `scores` (B, K, classes).

    A cell has 5 + classes numbers for each of its anchors: x, y, width, height, objectness and the classes. K goes grid
    by grid, row by row, cell by cell, anchor by anchor.
    """
    raws, boxes = [], []
    for grid, shapes in zip(maps, anchors, strict=True):
        rows, columns = grid.shape[1:3]
        raw = ops.reshape(grid, (-1, rows, columns, len(shapes), grid.shape[-1] // len(shapes)))
        y, x = ops.meshgrid(ops.arange(rows), ops.arange(columns), indexing="ij")
        cells = ops.cast(ops.stack([x, y], axis=-1), raw.dtype)[:, :, None]  # (S, S, 1, 2)
        sides = ops.convert_to_tensor([columns, rows], dtype=raw.dtype)
        centres = (ops.sigmoid(raw[..., :2]) + cells) / sides
        sizes = ops.convert_to_tensor(shapes, dtype=raw.dtype) * ops.exp(raw[..., 2:4])
        boxes.append(ops.reshape(cornered(centres, sizes), (-1, rows * columns * len(shapes), 4)))
        raws.append(ops.reshape(raw, (-1, rows * columns * len(shapes), raw.shape[-1])))
    raw = ops.concatenate(raws, axis=1)
    scores = ops.sigmoid(raw[..., 4:5]) * ops.sigmoid(raw[..., 5:])
    return {"raw": raw, "boxes": ops.concatenate(boxes, axis=1), "scores": scores}


def yolo_loss(y, raw):
    """Squares for coordinates, cross-entropies for objectness and classes: summed over a picture, mean over pictures.

    Args:
        y: `offsets` (B, K, 4), `objectness` (B, K): 1, 0, or -1 where it has no loss, and `labels` (B, K).
        raw: (B, K, 5 + classes).
    """
    here = ops.cast(y["objectness"] == 1, raw.dtype)  # (B, K)
    counted = ops.cast(y["objectness"] >= 0, raw.dtype)
    labels = ops.one_hot(y["labels"], raw.shape[-1] - 5, dtype=raw.dtype)

    places = ops.concatenate([ops.sigmoid(raw[..., :2]), raw[..., 2:4]], axis=-1)
    coordinates = here * ops.sum(ops.square(places - ops.cast(y["offsets"], raw.dtype)), axis=-1)
    objectness = counted * ops.binary_crossentropy(here, raw[..., 4], from_logits=True)
    kinds = ops.binary_crossentropy(labels, raw[..., 5:], from_logits=True)
    kinds = here * ops.sum(kinds, axis=-1)
    return ops.mean(ops.sum(coordinates + objectness + kinds, axis=1))
