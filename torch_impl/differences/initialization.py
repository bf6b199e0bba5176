"""Initial values, as statistics of large seeded draws: PyTorch's side."""

import torch
from torch import nn


def dense_init():
    layer = nn.Linear(1024, 4096)
    return torch.stack([layer.weight.std(), layer.bias.std()])


def dense_init_equal():
    layer = nn.Linear(1024, 4096)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return torch.stack([layer.weight.std(), layer.bias.std()])


def conv_init():
    return nn.Conv2d(64, 256, 3).weight.std()


def conv_init_equal():
    layer = nn.Conv2d(64, 256, 3)
    nn.init.xavier_uniform_(layer.weight)
    return layer.weight.std()


def embedding_init():
    return nn.Embedding(10000, 64).weight.std()


def embedding_init_equal():
    layer = nn.Embedding(10000, 64)
    nn.init.uniform_(layer.weight, -0.05, 0.05)
    return layer.weight.std()


def lstm_init():
    return _lstm_statistics(nn.LSTM(128, 128))


def lstm_init_equal():
    lstm = nn.LSTM(128, 128)
    nn.init.xavier_uniform_(lstm.weight_ih_l0)
    nn.init.orthogonal_(lstm.weight_hh_l0)
    nn.init.zeros_(lstm.bias_ih_l0)
    nn.init.zeros_(lstm.bias_hh_l0)
    nn.init.ones_(lstm.bias_ih_l0[128:256])
    return _lstm_statistics(lstm)


def _lstm_statistics(lstm):
    recurrent = lstm.weight_hh_l0
    products = recurrent.T @ recurrent  # of every two columns, which are Keras's rows
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    return torch.stack([lstm.weight_ih_l0.std(), (products - torch.eye(128)).abs().max(), bias[128:256].mean()])


def he_normal_truncation():
    w = nn.init.kaiming_normal_(torch.empty(1000, 1000), nonlinearity="relu")
    return torch.stack([w.std(), (w.abs() > 2.5 * w.std()).float().mean()])


def he_normal_truncation_equal():
    std = (2 / 1000) ** 0.5 / 0.87962566103423978  # what cutting at two deviations leaves of the deviation
    w = nn.init.trunc_normal_(torch.empty(1000, 1000), std=std, a=-2 * std, b=2 * std)
    return torch.stack([w.std(), (w.abs() > 2.5 * w.std()).float().mean()])


def truncated_normal_bounds():
    w = nn.init.trunc_normal_(torch.empty(1000, 1000), std=0.02)
    return torch.stack([w.std(), (w.abs() > 0.04).float().mean()])


def truncated_normal_bounds_equal():
    w = nn.init.trunc_normal_(torch.empty(1000, 1000), std=0.02, a=-0.04, b=0.04)
    return torch.stack([w.std(), (w.abs() > 0.04).float().mean()])


def normal_initializer_std():
    return nn.init.normal_(torch.empty(1000, 1000)).std()


def normal_initializer_std_equal():
    return nn.init.normal_(torch.empty(1000, 1000), std=0.05).std()


def attention_init():
    query, _, _ = nn.MultiheadAttention(256, num_heads=8).in_proj_weight.chunk(3)
    return query.std()


def attention_init_equal():
    layer = nn.MultiheadAttention(256, num_heads=8)
    for projection in layer.in_proj_weight.detach().chunk(3):
        nn.init.xavier_uniform_(projection)
    query, _, _ = layer.in_proj_weight.chunk(3)
    return query.std()
