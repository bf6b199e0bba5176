"""Every convolution in one, two and three dimensions, forward and transposed: its shape by formula, and its values.

A kernel of K elements at dilation D spans D (K - 1) + 1 places, and each stride of S is one output; a transposed
convolution is the same arithmetic backwards, as gradients of convolutions are computed. What makes two frameworks
differ is what happens at the borders. "Same" in Keras means as many outputs as the stride divides the input into, with
the odd zero behind; PyTorch has it at stride 1 only, and otherwise an equal margin on both sides. Transposed, the
margin is cut off instead: Keras's "same" cuts the odd place behind, PyTorch's output padding gives one back there.

Whatever one side has no word for is written out in `convolution` and `transposed`: in Keras margins of a given width or
of other values than zero, and transposes in groups; in PyTorch the margins of "same". Two things are left out: a stride
together with a dilation, which Keras refuses, and the dilation of a transpose, which TensorFlow refuses on a CPU.

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapters 2, 4 and 5.

Slides: deck B, Conv1D, Conv2D, Conv3D and "Torch.nn.Convolution Layers".
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

FILTERS = 4
FORWARD = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BORDERS = [("valid", "zeros"), ("same", "zeros"), (1, "zeros"), (1, "reflect"), (1, "replicate"), (2, "circular")]
STEPS = [(1, 1), (2, 1), (1, 2)]  # stride, dilation
CUTS = [("valid", 0), ("same", 0), (1, 0), (1, 1)]  # padding, output padding


def run(signal, image, volume, numbers):
    """A (B, T, C) signal, (B, C, H, W) image and (B, C, D, H, W) volume to shapes, and to a result per case."""
    out, by_hand, measured = {}, [], []
    for name, x, options in cases(signal.movedim(-1, 1), image, volume):  # differs: torch convolves (B, C, T)
        forward = name.startswith("conv")
        y = (convolution if forward else transposed)(x, numbers, **options)
        by_hand.append(formula(x, forward, **options))
        measured.append(sizes(y))
        out[name] = y.movedim(1, -1) if y.ndim == 3 else y
    return {"shapes_by_hand": table(by_hand), "shapes_framework": table(measured), **out}


def cases(*inputs):
    """The grid: a name, an input in the framework's layout, and the layer's options."""
    for rank, x in enumerate(inputs, start=1):
        plain = {"kernel": 3, "stride": 1, "padding": "same", "groups": 1}
        forward = plain | {"dilation": 1, "mode": "zeros"}
        for stride, dilation in STEPS:
            for padding, mode in BORDERS:
                steps = {"stride": stride, "padding": padding, "dilation": dilation, "mode": mode}
                yield f"conv{rank}d_stride{stride}_dilation{dilation}_{padding}_{mode}", x, forward | steps
        for groups in (2, 4):
            for stride in (1, 2):
                yield f"conv{rank}d_stride{stride}_groups{groups}", x, forward | {"stride": stride, "groups": groups}
        yield f"conv{rank}d_stride2_kernel4", x, forward | {"stride": 2, "kernel": 4}

        backward = plain | {"extra": 0}
        for stride in (1, 2, 3):
            for padding, extra in CUTS if stride > 1 else CUTS[:3]:
                cut_off = {"stride": stride, "padding": padding, "extra": extra}
                yield f"transpose{rank}d_stride{stride}_{padding}_extra{extra}", x, backward | cut_off
        yield f"transpose{rank}d_stride2_groups2", x, backward | {"stride": 2, "groups": 2}
        yield f"transpose{rank}d_stride2_kernel4", x, backward | {"stride": 2, "kernel": 4}


def formula(x, forward, kernel, stride, padding, groups, dilation=1, mode="zeros", extra=0):
    """The output's height (and so on) from the input's; groups and the kind of margin play no part."""
    span = dilation * (kernel - 1) + 1
    margin = 0 if isinstance(padding, str) else padding
    if forward and padding == "same":
        return [-(-size // stride) for size in sizes(x)]
    if forward:
        return [(size + 2 * margin - span) // stride + 1 for size in sizes(x)]
    if padding == "same":
        return [size * stride for size in sizes(x)]
    return [(size - 1) * stride + span - 2 * margin + extra for size in sizes(x)]


def convolution(x, numbers, kernel, stride, padding, groups, dilation, mode):
    """The layer with a kernel cut from `numbers`, and with margins made here where it has no word for them."""
    rank, channels = len(sizes(x)), x.shape[1]
    if padding == "same" and stride > 1:
        for axis in range(2, rank + 2):  # differs: torch knows "same" at stride 1 only
            x = with_margin(x, axis, kernel, stride)
        padding = "valid"
    options = {"dilation": dilation, "groups": groups, "padding_mode": mode, "bias": False}
    layer = FORWARD[rank - 1](channels, FILTERS, kernel, stride, padding, **options)
    return with_kernel(layer, x, cut(numbers, (*[kernel] * rank, channels // groups, FILTERS)))


def transposed(x, numbers, kernel, stride, padding, groups, extra):
    """The transposed layer, likewise; what it has no word for is cut off here."""
    rank, channels = len(sizes(x)), x.shape[1]
    shape = (*[kernel] * rank, FILTERS // groups, channels // groups)
    weights = [cut(numbers[number * math.prod(shape) :], shape) for number in range(groups)]
    own = padding if isinstance(padding, int) else 0
    # differs: torch's transposed layers know groups
    layer = TRANSPOSED[rank - 1](channels, FILTERS, kernel, stride, own, extra, groups, bias=False)
    y = with_kernel(layer, x, torch.cat(weights, dim=-1))
    if padding == "same":  # differs: torch cuts off equal margins only
        before = max(kernel - stride, 0) // 2  # differs: torch cuts off equal margins only
        y = y[(..., *[slice(before, before + length * stride) for length in sizes(x)])]
    return y


def with_margin(x, axis, kernel, stride):  # differs: here zeros only, the odd one behind
    """More places before and behind along an axis."""
    length = x.shape[axis]
    # differs: the margin of "same" depends on the stride
    missing = (-(-length // stride) - 1) * stride + kernel - length
    before = missing // 2
    return F.pad(x, (*[0, 0] * (x.ndim - 1 - axis), before, missing - before))  # F.pad begins with the last axis


def with_kernel(layer, x, kernel):
    """The output of the layer with that kernel, whose filters stand as Keras has them."""
    with torch.no_grad():  # differs: torch would record the copying
        layer.to(x.dtype).weight.copy_(kernel.movedim(-1, 0).movedim(-1, 1))  # differs: torch keeps filters first
    return layer(x)


def cut(numbers, shape):
    """A kernel of that shape, made of the first of the numbers."""
    return numbers[: math.prod(shape)].reshape(shape)


def sizes(x):
    """The lengths of the axes that the kernel moves along."""
    return list(x.shape[2:])


def table(shapes):
    """(cases, 3) sizes, 0 where there is no such axis."""
    return torch.tensor([[*shape, 0, 0][:3] for shape in shapes])
