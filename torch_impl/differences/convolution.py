"""Convolution, pooling, and the order in which maps become vectors: PyTorch's side."""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.differences import with_weights


def same_padding_stride(x, kernel):
    return F.conv2d(x, kernel, stride=2, padding=1)


def same_padding_stride_equal(x, kernel):
    padded = F.pad(x, (0, 1, 0, 1))  # right and bottom, for an even height and width
    return F.conv2d(padded, kernel, stride=2)


def conv_transpose_same(x, kernel):
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, output_padding=1)


def conv_transpose_same_equal(x, kernel):
    full = F.conv_transpose2d(x, kernel, stride=2)
    return full[:, :, :-1, :-1]


def average_pool_padding(x):
    return nn.AvgPool2d(3, stride=1, padding=1)(x)


def average_pool_padding_equal(x):
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(x)


def max_pool_same(x):
    return nn.MaxPool2d(3, stride=2, padding=1)(x)


def max_pool_same_equal(x):
    padded = F.pad(x, (0, 1, 0, 1), value=-torch.inf)
    return nn.MaxPool2d(3, stride=2)(padded)


def max_pool3d_ties(x):
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(nn.MaxPool3d(2)(x).sum(), x)
    return gradient.flatten()


def flatten_order(x):
    return nn.Flatten()(x)


def flatten_order_equal(x):
    return nn.Flatten()(x.permute(0, 2, 3, 1))


def patch_order(x):
    return F.unfold(x, kernel_size=2, stride=2).reshape(len(x), 12, 4, 4)


def patch_order_equal(x):
    patches = F.unfold(x, kernel_size=2, stride=2).reshape(len(x), 3, 4, 4, 4)  # (B, C, 2 * 2, H/2, W/2)
    return patches.swapaxes(1, 2).reshape(len(x), 12, 4, 4)


def dense_kernel_layout(x, square):
    return with_weights(nn.Linear(4, 4, bias=False), weight=square)(x)


def dense_kernel_layout_equal(x, square):
    return with_weights(nn.Linear(4, 4, bias=False), weight=square.T)(x)
