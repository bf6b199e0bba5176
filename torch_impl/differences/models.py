"""Models and their training: PyTorch's side."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def layer_list():
    return _parameters(WithList([nn.Linear(4, 4), nn.Linear(4, 4)]))


def layer_list_equal():
    return _parameters(WithList(nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])))


class WithList(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.blocks = blocks


def _parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def reserved_name():
    names = ("layers", "metrics", "dtype", "input", "output", "weights", "path", "losses", "variables")
    return sum(_is_refused(name) for name in names)


def _is_refused(name):
    try:
        setattr(nn.Module(), name, [])
    except AttributeError:
        return 1
    return 0


def call_without_training(x):
    model = nn.Sequential(nn.Dropout(0.5))
    losses = {F.mse_loss(model(x), torch.zeros_like(x)).item() for _ in range(3)}
    return float(len(losses) > 1)


def default_batch_size(x):
    return len(DataLoader(TensorDataset(x)))


def default_batch_size_equal(x):
    return len(DataLoader(TensorDataset(x), batch_size=32))


def shuffle_default(x):
    return _keeps_order(x)


def shuffle_default_equal(x):
    return _keeps_order(x, shuffle=True)


def _keeps_order(x, **settings):
    rows = [row for (row,) in DataLoader(TensorDataset(x), **settings)]
    return float(torch.equal(torch.cat(rows), x))


def jit_compile_auto():
    model = nn.Linear(1, 1)
    return float(hasattr(model, "_orig_mod"))  # which a compiled module has


def jit_compile_auto_equal():
    model = torch.compile(nn.Linear(1, 1))
    return float(hasattr(model, "_orig_mod"))
