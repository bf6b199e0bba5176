"""Attention, masks and embeddings: PyTorch's side."""

import torch
from torch import nn
from torch.nn import functional as F

from torch_impl.differences import with_weights


def attention_scale(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


def attention_scale_equal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, scale=1.0)


def attention_argument_order(q, k, v):
    return _plain_attention()(q, k, v)[0]


def attention_argument_order_equal(q, k, v):
    return _plain_attention()(query=q, key=v, value=k)[0]


def _plain_attention():
    """One head whose projections change nothing."""
    eye = torch.eye(4)
    weights = {"in_proj_weight": eye.repeat(3, 1), "out_proj.weight": eye}
    return with_weights(nn.MultiheadAttention(4, num_heads=1, bias=False, batch_first=True), **weights)


def attention_mask_meaning(x, mask):
    return _plain_attention()(x, x, x, key_padding_mask=mask.bool())[0]


def attention_mask_meaning_equal(x, mask):
    return _plain_attention()(x, x, x, key_padding_mask=~mask.bool())[0]


def attention_layout(x):
    four_by_four = x.reshape(2, 4, 4, 2)
    attended = F.scaled_dot_product_attention(four_by_four, four_by_four, four_by_four)
    return attended.reshape(2, 4, 8)


def attention_layout_equal(x):
    four_by_four = x.reshape(2, 4, 4, 2).swapaxes(1, 2)
    attended = F.scaled_dot_product_attention(four_by_four, four_by_four, four_by_four)
    return attended.swapaxes(1, 2).reshape(2, 4, 8)


def attention_all_masked(x):
    nothing = torch.zeros(4, 4, dtype=torch.bool)
    return F.scaled_dot_product_attention(x, x, x, attn_mask=nothing)


def attention_all_masked_equal(x):
    lowest = torch.full((4, 4), torch.finfo(x.dtype).min)
    return F.scaled_dot_product_attention(x, x, x, attn_mask=lowest)


def attention_key_dim(x):
    layer = nn.MultiheadAttention(16, num_heads=4)
    return sum(parameter.numel() for parameter in layer.parameters())


def embedding_padding(tokens, table):
    return nn.Embedding.from_pretrained(table, padding_idx=0)(tokens).mean(1)


def embedding_padding_equal(tokens, table):
    x = nn.Embedding.from_pretrained(table, padding_idx=0)(tokens)
    return x.sum(1) / (tokens != 0).sum(1, keepdim=True)


def embedding_padding_vector(tokens):
    x = nn.Embedding(5, 3, padding_idx=0)(tokens)
    return (x[0, -1] != 0).any().float()


def embedding_padding_vector_equal(tokens):
    x = nn.Embedding(5, 3)(tokens)
    return (x[0, -1] != 0).any().float()
