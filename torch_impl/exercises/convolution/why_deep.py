"""Why deep: several small filters see as far as one large filter, with fewer parameters.

Two 3x3 convolutions see 5x5 pixels, three see 7x7. Nothing is calculated here: the parameters are counted in built
layers, and the receptive field is where the gradient of one output by the input is not zero. With all weights 1
that gradient counts the paths from each pixel to the output: a stack looks at the middle more than at the edge.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), section
2.3: 27 C^2 parameters against 49 C^2. No activation stands between the layers, because only the reach is measured.

Slides: deck D, "why deep", 25 against 18; deck E, 49 against 27. Both count one channel in and one out.
"""

import torch
from torch import nn

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
        "large_paths": torch.stack([pair[0][..., 0] for pair in paths[0]]),
        "small_paths": torch.stack([pair[1][..., 0] for pair in paths[0]]),
    }


def convolutions(channels, kernel_size, depth):
    """A stack of equal convolutions, all weights 1, that keeps the image's size and channels."""
    stack = nn.Sequential(
        *[nn.Conv2d(channels, channels, kernel_size, padding="same", bias=False) for _ in range(depth)]
    )
    for convolution in stack:  # differs: torch sets initial values afterwards
        nn.init.ones_(convolution.weight)
    return stack


def parameters(stack):
    """The number of weights of the built layers."""
    return sum(parameter.numel() for parameter in stack.parameters())


def gradient(stack, image):
    """The gradient of the middle output by the image: (SIDE, SIDE, C), for the first of the output channels."""
    channels = stack[0].in_channels
    x = image.repeat(1, channels, 1, 1).requires_grad_()
    (paths,) = torch.autograd.grad(stack.to(image.dtype)(x)[0, 0, SIDE // 2, SIDE // 2], x)
    return paths[0].movedim(0, -1)


def extent(paths):
    """How many rows of the image the output depends on."""
    arrives = paths > 1e-4 * torch.max(paths)  # not 0: convolution by FFT leaves rounding where nothing arrives
    return int(torch.sum(torch.any(arrives.flatten(1), dim=1)))


def table(rows, measure):
    """One number per cell."""
    return torch.tensor([[measure(cell) for cell in row] for row in rows])
