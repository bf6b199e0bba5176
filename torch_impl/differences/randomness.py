"""Random layers and generators: PyTorch's side."""

import numpy as np
import torch
from torch import nn


def dropout_default_mode(x):
    return _share_of_zeros(nn.Dropout(0.5)(x))


def dropout_default_mode_equal(x):
    return _share_of_zeros(nn.Dropout(0.5).eval()(x))


def _share_of_zeros(x):
    return (x == 0).float().mean()


def spatial_dropout(x):
    dropped = nn.Dropout1d(0.5)(x) == 0  # of (B, T, C), where it expects (B, C, T)
    return dropped.all(dim=1).float().mean()  # channels that are gone at every step


def spatial_dropout_equal(x):
    dropped = nn.Dropout1d(0.5)(x.swapaxes(1, 2)).swapaxes(1, 2) == 0
    return dropped.all(dim=1).float().mean()


def seed_argument():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(1000, generator=generator)
    second = torch.randn(1000, generator=generator)
    return (first == second).all().float()


def seed_argument_equal():
    first = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    second = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    return (first == second).all().float()


def seed_scope():
    torch.manual_seed(0)
    first = np.random.rand()
    torch.manual_seed(0)
    return float(first == np.random.rand())


def seed_scope_equal():
    torch.manual_seed(0)
    np.random.seed(0)
    first = np.random.rand()
    torch.manual_seed(0)
    np.random.seed(0)
    return float(first == np.random.rand())


def categorical_input(p):
    drawn = torch.multinomial(p, 100000, replacement=True)
    return torch.bincount(drawn, minlength=3) / 100000


def categorical_input_equal(p):
    drawn = torch.multinomial(p.softmax(-1), 100000, replacement=True)
    return torch.bincount(drawn, minlength=3) / 100000


def multinomial_replacement(p):
    return torch.multinomial(p, 3).max()


def multinomial_replacement_equal(p):
    return torch.multinomial(p, 3, replacement=True).max()
