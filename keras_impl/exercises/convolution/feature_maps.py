"""What each layer sees: the maps of a trained network, layer by layer, and how much of the picture each place sees.

The layers are those of `digit_cnn`: two convolutions, each with max pooling. Its first maps still look like the picture
with strokes of one direction bright. Each pooling halves them, and each layer's places see more of the picture than
those before: a filter of size k adds k - 1 steps, and a step is as wide as all strides so far multiply to. That is
measured by lighting up one column of the picture at a time. Having no dense layers, the part looked at here takes a
picture of any size, and so the filters that were learned from digits also show the beams and tiles of a pagoda.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014), sections 2 and 4.1. Departure: they
project a map's answer back to pixels; here the maps themselves are shown.

Slides: deck B, "Feature Map".
"""

from keras import ops

from keras_impl.exercises.convolution.edge_filters import tiled

LAYERS = ("conv1", "pool1", "conv2", "pool2")
SIZES = (3, 2, 3, 2)
STRIDES = (1, 2, 1, 2)
SIDE = 24  # of the square on which is measured what a layer sees


def run(image, digit, kernel1, bias1, kernel2, bias2):
    """(H, W) pictures and (9, in, out) kernels to the (h, w, C) maps of each layer, pictures of them, and fields."""
    weights = (kernel1, bias1, kernel2, bias2)
    out = {"fields_by_hand": fields(), "fields_framework": measured(image.dtype)}
    for what, picture in (("digit", digit), ("photograph", image)):
        out[f"picture_{what}"] = picture
        for layer, maps in zip(LAYERS, look(picture, *weights), strict=True):
            out[f"{what}_{layer}"] = maps
            out[f"picture_{what}_{layer}"] = tiled(maps)
    return out


def look(picture, kernel1, bias1, kernel2, bias2):
    """(H, W) to the maps after each layer: (H, W, 16), (H / 2, W / 2, 16), (H / 2, W / 2, 32), (H / 4, W / 4, 32)."""
    x = picture[None, :, :, None]
    conv1 = ops.relu(convolve(x, kernel1, bias1))
    pool1 = ops.max_pool(conv1, 2, strides=2)
    conv2 = ops.relu(convolve(pool1, kernel2, bias2))
    pool2 = ops.max_pool(conv2, 2, strides=2)
    return [maps[0] for maps in (conv1, pool1, conv2, pool2)]


def convolve(x, kernel, bias):
    """(B, H, W, in) and (9, in, out) to (B, H, W, out), zeros around."""
    _, channels, filters = kernel.shape
    kernel = ops.reshape(kernel, (3, 3, channels, filters))  # differs: Keras keeps filters last
    return ops.conv(x, kernel, padding="same") + bias


def fields():
    """How many rows of the picture a place of each layer sees: size k adds k - 1 of the steps taken so far."""
    seen, step, out = 1, 1, []
    for size, stride in zip(SIZES, STRIDES, strict=True):
        seen += (size - 1) * step
        step *= stride
        out.append(seen)
    return ops.convert_to_tensor(out, dtype="int32")


def measured(dtype):
    """The same, counted: pictures with one bright column each, and how many of them the place in the middle notices."""
    columns = ops.eye(SIDE, dtype=dtype)
    ones = ops.ones((9, 1, 1), dtype=dtype), ops.zeros((1,), dtype=dtype)
    noticed = [0] * len(LAYERS)
    for column in range(SIDE):
        picture = ops.broadcast_to(columns[column], (SIDE, SIDE))
        for layer, maps in enumerate(look(picture, *ones, *ones)):
            middle = maps.shape[0] // 2
            noticed[layer] += int(maps[middle, middle, 0] > 0)
    return ops.convert_to_tensor(noticed, dtype="int32")
