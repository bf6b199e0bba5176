"""Recurrent layers: PyTorch's side."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from torch_impl.differences import with_weights


def lstm_two_biases(x, kernel, recurrent_kernel, bias):
    weights = {"weight_ih_l0": kernel, "weight_hh_l0": recurrent_kernel, "bias_ih_l0": bias, "bias_hh_l0": bias}
    return with_weights(nn.LSTM(3, 4, batch_first=True), **weights)(x)[0][:, -1]


def lstm_two_biases_equal(x, kernel, recurrent_kernel, bias):
    zero = torch.zeros_like(bias)
    weights = {"weight_ih_l0": kernel, "weight_hh_l0": recurrent_kernel, "bias_ih_l0": bias, "bias_hh_l0": zero}
    return with_weights(nn.LSTM(3, 4, batch_first=True), **weights)(x)[0][:, -1]


def gru_gate_order(x, kernel, recurrent_kernel):
    gru = nn.GRU(x.shape[-1], len(recurrent_kernel) // 3, bias=False, batch_first=True)
    return with_weights(gru, weight_ih_l0=kernel, weight_hh_l0=recurrent_kernel)(x)[0][:, -1]


def gru_gate_order_equal(x, kernel, recurrent_kernel):
    gru = nn.GRU(x.shape[-1], len(recurrent_kernel) // 3, bias=False, batch_first=True)
    return with_weights(gru, weight_ih_l0=_swapped(kernel), weight_hh_l0=_swapped(recurrent_kernel))(x)[0][:, -1]


def _swapped(kernel):
    """Update, reset, new (Keras) to reset, update, new (PyTorch), or back."""
    first, second, new = kernel.chunk(3)
    return torch.cat([second, first, new])


def gru_reset_after(x, kernel, recurrent_kernel):
    gru = nn.GRU(3, 4, bias=False, batch_first=True)
    return with_weights(gru, weight_ih_l0=_swapped(kernel), weight_hh_l0=_swapped(recurrent_kernel))(x)[0][:, -1]


def bidirectional_last(x, kernel, recurrent_kernel):
    return _bidirectional(kernel, recurrent_kernel)(x)[0][:, -1]


def bidirectional_last_equal(x, kernel, recurrent_kernel):
    _, last = _bidirectional(kernel, recurrent_kernel)(x)  # (2, B, D), what each direction ends with
    return torch.cat([last[0], last[1]], dim=-1)


def _bidirectional(kernel, recurrent_kernel):
    weights = {"weight_ih_l0": kernel, "weight_hh_l0": recurrent_kernel}
    backward = {f"{name}_reverse": weight for name, weight in weights.items()}
    return with_weights(nn.RNN(3, 4, bias=False, batch_first=True, bidirectional=True), **weights, **backward)


def rnn_batch_first(x, kernel, recurrent_kernel):
    rnn = nn.RNN(3, 4, bias=False)
    return with_weights(rnn, weight_ih_l0=kernel, weight_hh_l0=recurrent_kernel)(x)[0]


def rnn_batch_first_equal(x, kernel, recurrent_kernel):
    rnn = nn.RNN(3, 4, bias=False, batch_first=True)
    return with_weights(rnn, weight_ih_l0=kernel, weight_hh_l0=recurrent_kernel)(x)[0]


def rnn_padding(tokens, table, kernel, recurrent_kernel):
    x = nn.Embedding.from_pretrained(table, padding_idx=0)(tokens)
    rnn = nn.RNN(3, 4, bias=False, batch_first=True)
    return with_weights(rnn, weight_ih_l0=kernel, weight_hh_l0=recurrent_kernel)(x)[0][:, -1]


def rnn_padding_equal(tokens, table, kernel, recurrent_kernel):
    x = nn.Embedding.from_pretrained(table, padding_idx=0)(tokens)
    packed = pack_padded_sequence(x, (tokens != 0).sum(-1), batch_first=True, enforce_sorted=False)
    rnn = nn.RNN(3, 4, bias=False, batch_first=True)
    _, last = with_weights(rnn, weight_ih_l0=kernel, weight_hh_l0=recurrent_kernel)(packed)
    return last[0]
