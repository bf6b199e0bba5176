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

import keras
from keras import layers, ops

from keras_impl.exercises.detection.anchors import decode, scales_and_ratios
from keras_impl.models.classification.resnet import EXPANSION, Bottleneck
from keras_impl.models.classification.resnet_style import batch_norm, convolution
from keras_impl.models.detection.ssd import VARIANCES, conv3x3, joined, multibox_loss
from keras_impl.saving import serializable
from twin.shapes import check_square

LEVELS = 3  # of the last stages, on which the pyramid stands
RATIOS = (1.0, 0.5, 2.0)  # of an anchor's height to its width
BOX_WEIGHT, MASK_WEIGHT = 1.5, 6.125  # of the losses, beside 1 for the classes
MARGIN = 0.75  # places around a box that its mask may still have: no place's middle lies on this edge


class Pyramid(layers.Layer):
    """Feature pyramid: coarse maps are enlarged and added to finer ones, and even coarser ones may follow.

    Args:
        in_channels: of the maps that come in, from the finest on.
        channels: of all maps that go out.
        num_extra: further levels, each half as large.
    """

    def __init__(self, in_channels, channels, num_extra):
        super().__init__()
        self.lateral = [layers.Conv2D(channels, kernel_size=1) for _ in in_channels]
        self.smooth = [conv3x3(channels, channels) for _ in in_channels]
        self.down = [layers.Conv2D(channels, kernel_size=3, strides=2) for _ in range(num_extra)]

    def call(self, maps):
        """Maps (B, S, S, in_channels), each about half as large as the one before, to (B, S, S, channels)."""
        x, sums = None, []
        for lateral, each in zip(self.lateral[::-1], maps[::-1], strict=True):
            side = lateral(each)  # (B, S, S, channels)
            x = side if x is None else side + enlarged(x, side.shape[1:3])
            sums.append(x)
        out = [ops.relu(smooth(x)) for smooth, x in zip(self.smooth, sums[::-1], strict=True)]
        for down in self.down:
            x = ops.pad(out[-1], ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch's convolution pads itself
            out.append(down(x))  # (B, S / 2, S / 2, channels)
        return out


class Protonet(layers.Layer):
    """Three convolutions, twice the size, one more, and a prototype for each channel of the last.

    Args:
        channels: of the input and of the convolutions.
        num_prototypes: masks that go out.
    """

    def __init__(self, channels, num_prototypes):
        super().__init__()
        self.convs = [conv3x3(channels, channels) for _ in range(3)]
        self.conv = conv3x3(channels, channels)
        self.prototypes = layers.Conv2D(num_prototypes, kernel_size=1)

    def call(self, x):
        """(B, S, S, channels) to (B, 2 * S, 2 * S, num_prototypes), none below 0."""
        for conv in self.convs:
            x = ops.relu(conv(x))
        x = enlarged(x, (2 * x.shape[1], 2 * x.shape[2]))
        return ops.relu(self.prototypes(ops.relu(self.conv(x))))


class Head(layers.Layer):
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

    def call(self, x):
        """(B, S, S, channels) to maps (B, S, S, num_anchors * numbers): 4, 1 + num_classes, num_prototypes numbers."""
        x = ops.relu(self.conv(x))
        return self.loc(x), self.conf(x), ops.tanh(self.mask(x))


@serializable  # differs: a .keras file holds the constructor's arguments beside the weights
class YOLACT(keras.Model):
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
        self.pool1 = layers.MaxPooling2D(pool_size=3, strides=2)
        self.blocks, self.lasts = [], []
        in_channels = width
        for stage, num_blocks in enumerate(stages):
            for block in range(num_blocks):
                strides = (1, 2) if stage > 0 and block == 0 else (1, 1)
                self.blocks.append(Bottleneck(in_channels, width * 2**stage, strides))
                in_channels = EXPANSION * width * 2**stage
            self.lasts.append(len(self.blocks) - 1)
        scale = len(self.blocks) ** -0.5
        for block in self.blocks:
            block.bn3.gamma_initializer = keras.initializers.Constant(scale)  # differs: the weight is not made yet

        widths = [EXPANSION * width * 2**stage for stage in range(len(stages))][-LEVELS:]
        self.pyramid = Pyramid(widths, channels, num_extra)
        self.protonet = Protonet(channels, num_prototypes)
        self.head = Head(channels, len(RATIOS), num_classes, num_prototypes)
        sides = [image_shape[0]]
        for _ in range(len(stages) + 1 + num_extra):
            sides.append(-(-sides[-1] // 2))
        scales = ops.convert_to_tensor(scales, dtype=keras.config.floatx())
        self.anchors = ops.convert_to_numpy(anchor_boxes(sides[-len(scales) :], scales))
        self(keras.Input(image_shape))  # differs: Keras creates its weights when it first sees a shape

    def call(self, x, training=None):  # differs: Keras passes the mode in, and on JAX does not hand it on
        """(B, H, W, C) images to what K anchors say, and prototypes (B, S, S, num_prototypes) for their masks.

        `offsets` (B, K, 4), `logits` (B, K, 1 + classes), `boxes` (B, K, 4), `scores` (B, K, classes), `coefficients`
        (B, K, num_prototypes) and `prototypes`.
        """
        x = ops.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))  # differs: PyTorch's convolution pads itself
        x = ops.relu(self.bn1(self.conv1(x), training=training))  # (B, H / 2, W / 2, width)
        x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))  # differs: PyTorch pads by -inf; after ReLU 0 will do
        x = self.pool1(x)  # (B, H / 4, W / 4, width)
        maps = []
        for place, block in enumerate(self.blocks):
            x = block(x, training=training)
            if place in self.lasts[-LEVELS:]:
                maps.append(x)
        maps = self.pyramid(maps)
        prototypes = self.protonet(maps[0])
        said = zip(*[self.head(x) for x in maps], strict=True)
        numbers = (4, 1 + self.num_classes, self.num_prototypes)
        offsets, logits, coefficients = (joined(each, count) for each, count in zip(said, numbers, strict=True))
        anchors = ops.convert_to_tensor(self.anchors)  # differs: PyTorch has it as a buffer
        boxes = decode(offsets * ops.convert_to_tensor(VARIANCES, dtype=offsets.dtype), anchors)
        scores = ops.softmax(logits, axis=-1)[..., 1:]
        boxed = {"offsets": offsets, "logits": logits, "boxes": boxes, "scores": scores}
        return boxed | {"coefficients": coefficients, "prototypes": prototypes}

    def compute_loss(  # differs: Keras's fit passes more
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Class and box as in SSD, and the masks of those anchors that the batch names, mean over the masks."""
        places = ops.maximum(y["places"], 0)[..., None]  # (B, P, 1)
        coefficients = ops.take_along_axis(y_pred["coefficients"], places, axis=1)  # (B, P, num_prototypes)
        logits = mixed(y_pred["prototypes"], coefficients)  # (B, S, S, P)
        inside = cropped(ops.cast(y["frames"], logits.dtype), logits.shape[1:3])
        pixels = ops.binary_crossentropy(ops.cast(y["shapes"], logits.dtype), logits, from_logits=True)
        masks = ops.sum(inside * pixels, axis=(1, 2)) / ops.maximum(ops.sum(inside, axis=(1, 2)), 1)  # (B, P)
        counted = ops.cast(y["places"] >= 0, masks.dtype)
        mask_loss = ops.sum(counted * masks) / ops.maximum(ops.sum(counted), 1)
        return multibox_loss(y, y_pred["offsets"], y_pred["logits"], BOX_WEIGHT) + MASK_WEIGHT * mask_loss


def enlarged(x, size):
    """(B, H, W, channels) brought to another height and width by bilinear interpolation."""
    return ops.image.resize(x, size, interpolation="bilinear", antialias=False)


def mixed(prototypes, coefficients):
    """Prototypes (B, S, S, k), weighted by coefficients (B, N, k), to the masks' logits (B, S, S, N)."""
    return ops.einsum("bhwk,bnk->bhwn", prototypes, coefficients)


def cropped(boxes, size):
    """Which places of (B, height, width, N) lie in the boxes (B, N, 4), as 1 and 0; a margin beside them counts too."""
    height, width = size
    rows = ops.cast(ops.arange(height), boxes.dtype)[:, None, None] + 0.5
    columns = ops.cast(ops.arange(width), boxes.dtype)[:, None] + 0.5
    left, top, right, bottom = (boxes[:, None, None, :, side] for side in range(4))  # (B, 1, 1, N) each
    across = (columns > left * width - MARGIN) & (columns < right * width + MARGIN)  # (B, 1, width, N)
    down = (rows > top * height - MARGIN) & (rows < bottom * height + MARGIN)  # (B, height, 1, N)
    return ops.cast(across & down, boxes.dtype)


def anchor_boxes(sides, scales):
    """Three boxes of a scale's area at every place of each map, (K, 4): map by map, row by row, place by place."""
    boxes = []
    ratios = ops.convert_to_tensor(RATIOS, dtype=scales.dtype)
    for side, scale in zip(sides, scales, strict=True):
        shapes = scales_and_ratios(scale[None], ratios)  # (3, 4), around the origin
        middles = (ops.cast(ops.arange(side), scales.dtype) + 0.5) / side
        y, x = ops.meshgrid(middles, middles, indexing="ij")
        centres = ops.reshape(ops.stack([x, y, x, y], axis=-1), (-1, 1, 4))  # (side * side, 1, 4)
        boxes.append(ops.reshape(centres + shapes, (-1, 4)))
    return ops.concatenate(boxes, axis=0)
