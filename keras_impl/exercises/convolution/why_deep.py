"""Why deep: several small filters see as far as one large filter, with fewer parameters.

Two 3x3 convolutions see 5x5 pixels, three see 7x7. Nothing is calculated here: the parameters are counted in built
layers, and the receptive field is where the gradient of one output by the input is not zero. With all weights 1
that gradient counts the paths from each pixel to the output: a stack looks at the middle more than at the edge.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), section
2.3: 27 C^2 parameters against 49 C^2. No activation stands between the layers, because only the reach is measured.

Slides: deck D, "why deep", 25 against 18; deck E, 49 against 27. Both count one channel in and one out.
"""

import keras
from keras import layers, ops

from keras_impl.backend import value_and_gradients

SIDE = 15  # of the image; its middle is pixel 7


def run(image, channels, large):
    """(SIDE, SIDE) image, numbers of channels and sizes of the large filter, to counts and receptive fields.

    The counts and fields are (channels, sizes); the paths are those of one channel, (SIDE, SIDE) per size.
    """
    channels, large = [int(c) for c in channels], [int(k) for k in large]
    stacks = [[(convolutions(c, k, 1), convolutions(c, 3, k // 2)) for k in large] for c in channels]
    paths = [[[gradient(stack, image) for stack in pair] for pair in row] for row in stacks]
    return {
        "large_parameters": table(stacks, lambda pair: parameters(pair[0])),
        "small_parameters": table(stacks, lambda pair: parameters(pair[1])),
        "large_field": table(paths, lambda pair: extent(pair[0])),
        "small_field": table(paths, lambda pair: extent(pair[1])),
        "large_paths": ops.stack([pair[0][..., 0] for pair in paths[0]]),
        "small_paths": ops.stack([pair[1][..., 0] for pair in paths[0]]),
    }


def convolutions(channels, kernel_size, depth):
    """A stack of equal convolutions, all weights 1, that keeps the image's size and channels."""
    stack = keras.Sequential(
        [
            layers.Conv2D(channels, kernel_size, padding="same", use_bias=False, kernel_initializer="ones")
            for _ in range(depth)
        ]
    )
    stack.build((None, SIDE, SIDE, channels))  # differs: Keras creates its weights when it first sees a shape
    return stack


def parameters(stack):
    """The number of weights of the built layers."""
    return stack.count_params()


def gradient(stack, image):
    """The gradient of the middle output by the image: (SIDE, SIDE, C), for the first of the output channels."""
    channels = stack.input_shape[-1]
    x = keras.Variable(ops.repeat(image[None, :, :, None], channels, axis=-1), dtype=image.dtype)
    _, (paths,) = value_and_gradients(lambda: stack(x)[0, SIDE // 2, SIDE // 2, 0], [x])
    return paths[0]


def extent(paths):
    """How many rows of the image the output depends on."""
    arrives = paths > 1e-4 * ops.max(paths)  # not 0: convolution by FFT leaves rounding where nothing arrives
    return int(ops.sum(ops.cast(ops.any(arrives, axis=(1, 2)), "int32")))


def table(rows, measure):
    """One number per cell."""
    return ops.convert_to_tensor([[measure(cell) for cell in row] for row in rows], dtype="int32")
