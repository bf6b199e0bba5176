"""A class that only has a stock module's name is no stock module."""

import pytest
import torch
from torch import nn

from torch_impl import inventory

pytestmark = pytest.mark.framework


class MultiheadAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out_proj = nn.Linear(4, 12), nn.Linear(4, 4)


class LSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Linear(8, 16)


class LSTMCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Parameter(torch.zeros(4, 16)), nn.Parameter(torch.zeros(4, 16))


class LayerNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(4))


class Wide(nn.MultiheadAttention):
    pass


@pytest.mark.parametrize(
    ("module", "kinds"),
    [
        (MultiheadAttention(), ["Linear", "Linear"]),
        (LSTM(), ["Linear"]),
        (LSTMCell(), ["Parameter", "Parameter"]),
        (LayerNorm(), ["LayerNorm"]),
        (Wide(4, 2), ["MultiheadAttention"]),
        (nn.LSTM(4, 4, num_layers=2), ["LSTM"]),
    ],
    ids=["attention", "LSTM", "cell", "norm", "subclass", "stock"],
)
def test_arrays_belong_to_the_kind_that_holds_them(module, kinds):
    assert [leaf.kind for leaf, _ in inventory.leaves(module)] == kinds
