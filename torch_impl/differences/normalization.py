"""Normalization: PyTorch's side."""

from torch import nn
from torch.nn import functional as F


def batchnorm_epsilon(x):
    return nn.BatchNorm2d(3)(x)


def batchnorm_epsilon_equal(x):
    return nn.BatchNorm2d(3, eps=1e-3)(x)


def batchnorm_momentum(x):
    norm = nn.BatchNorm2d(3)
    norm(x)
    return norm.running_mean


def batchnorm_momentum_equal(x):
    norm = nn.BatchNorm2d(3, momentum=0.01)
    norm(x)
    return norm.running_mean


def batchnorm_variance(x):
    norm = nn.BatchNorm2d(3, momentum=0.1)
    norm(x)
    return norm.running_var


def batchnorm_variance_equal(x):
    norm = nn.BatchNorm2d(3, momentum=0.1)
    before = norm.running_var.clone()
    norm(x)
    count = x.numel() / x.shape[1]
    kept = 0.9 * before
    return kept + (norm.running_var - kept) * (count - 1) / count


def batchnorm_large_mean(x):
    return nn.BatchNorm2d(3)(x)


def batchnorm_frozen(x):
    norm = nn.BatchNorm2d(3).requires_grad_(False)
    return norm(x)


def batchnorm_frozen_equal(x):
    norm = nn.BatchNorm2d(3).requires_grad_(False).eval()
    return norm(x)


def batchnorm_default_mode(x):
    return nn.BatchNorm2d(3)(x)


def batchnorm_default_mode_equal(x):
    return nn.BatchNorm2d(3).eval()(x)


def layernorm_epsilon(x):
    return nn.LayerNorm(4)(x)


def layernorm_epsilon_equal(x):
    return nn.LayerNorm(4, eps=1e-3)(x)


def groupnorm_epsilon(x):
    return nn.GroupNorm(2, 4)(x)


def groupnorm_epsilon_equal(x):
    return nn.GroupNorm(2, 4, eps=1e-3)(x)


def rmsnorm_epsilon(x):
    return nn.RMSNorm(4)(x)


def rmsnorm_epsilon_equal(x):
    return nn.RMSNorm(4, eps=1e-6)(x)


def normalize_epsilon(x):
    return F.normalize(x, dim=-1)


def normalize_epsilon_equal(x):
    return F.normalize(x, dim=-1, eps=1e-7)
