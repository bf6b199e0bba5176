"""What might differ and does not: PyTorch's side."""

import torch
from torch import nn
from torch.nn import functional as F


def elu_alpha(x):
    return nn.ELU()(x)


def hard_sigmoid_slope(x):
    return F.hardsigmoid(x)


def softplus_threshold(x):
    return F.softplus(x)


def even_kernel_same(x, kernel):
    return F.conv2d(x, kernel, padding="same")


def bilinear_downsampling(x):
    return F.interpolate(x, (5, 5), mode="bilinear")


def adaptive_pool_windows(x):
    return nn.AdaptiveAvgPool2d(3)(x)


def dropout_scaling(x):
    kept = nn.Dropout(0.25)(x)
    return kept.max()


def label_smoothing(one_hot, logits):
    return nn.CrossEntropyLoss(label_smoothing=0.1)(logits, one_hot)


def huber_delta(y, p):
    return nn.HuberLoss()(p, y)


def rounding_of_halves(x):
    return torch.round(x)


def remainder_sign(x):
    return torch.remainder(x, 3.0)
