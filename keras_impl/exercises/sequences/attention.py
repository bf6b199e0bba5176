"""Attention by hand: positions as waves, scores as scaled dot products, and masks that say who may look at whom.

Vaswani et al., "Attention is all you need" (2017), sections 3.2.1, 3.2.2 and 3.5. A query is compared with every
key; the scores, divided by the root of their width, become weights by a softmax; the output is the mean of the values
under these weights. A dense layer's weights are learned once and fit one length; attention's are computed from the
content, so that they change with it and any number of tokens will do. The sum does not know the order of the tokens:
shuffled tokens give the same outputs, shuffled. Where the order matters, waves of many lengths are added first.

Each result is written out and computed by the framework's own function. In a mask, True means that a token may be
looked at; a causal mask hides what comes later, a padding mask what is only there to fill up a batch. A query that may
look at nothing is left out: the frameworks do not agree on it (`twin differences attention_all_masked`).

Slides: deck E, "Positional Encoding + Attention", and the attention of its vision transformer: eight heads of 64, scale
dim_head ** -0.5, queries, keys and values in one matrix without bias, an output matrix unless a single head has the
width of the tokens.
"""

import math

import keras
from einops import rearrange
from keras import ops

HEADS = 8
ORDER = [3, 0, 5, 1, 4, 2]  # how the six tokens are shuffled


def run(tokens, lengths, qkv_kernel, out_kernel, out_bias):
    """(B, 6, D) tokens, of which the first `lengths` (B,) count, and three arrays of weights to all results."""
    _, T, D = tokens.shape
    positions = sinusoid(T, D)
    query, key, value = project(tokens, qkv_kernel)
    steps = ops.arange(T, dtype="int32")
    causal = steps[:, None] >= steps  # (T, T)
    padding = ops.expand_dims(steps < lengths[:, None], (1, 2))  # (B, 1, 1, T)

    out = {"positions": positions, "positions_in_halves": sinusoid_in_halves(T, D)}
    for name, mask in (("plain", None), ("causal", causal), ("padded", padding)):
        weights, y = attend(query, key, value, mask)
        out[f"{name}_weights"] = rearrange(weights, "b heads t s -> b t (heads s)")
        out[f"{name}_by_hand"] = rearrange(y, "b heads t d -> b t (heads d)")
        out[f"{name}_framework"] = rearrange(attend_framework(query, key, value, mask), "b heads t d -> b t (heads d)")

    weights = (qkv_kernel, out_kernel, out_bias)
    out["deck"] = deck_attention(tokens, *weights)
    out["deck_shuffled"] = deck_attention(shuffled(tokens, ORDER), *weights)
    out["placed"] = deck_attention(tokens + positions, *weights)
    out["placed_shuffled"] = deck_attention(shuffled(tokens, ORDER) + positions, *weights)

    out["picture_positions"] = (sinusoid(64, 128) + 1) / 2
    out["picture_causal"] = rearrange(attend(query, key, value, causal)[0], "b heads t s -> (b t) (heads s)")
    return out


def sinusoid(T, D):
    """(T, D): sine and cosine of waves that are 2 pi to 20,000 pi steps long, in turn."""
    angle = angles(T, D)
    return ops.reshape(ops.stack([ops.sin(angle), ops.cos(angle)], axis=-1), (T, D))


def sinusoid_in_halves(T, D):
    """The same waves in another order of channels, as much public code has it: all sines, then all cosines."""
    angle = angles(T, D)
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def angles(T, D):
    """Step t in wave i is t / 10000^(2i / D) radians on, (T, D / 2)."""
    step = ops.arange(T, dtype=keras.config.floatx())
    wave = ops.arange(0, D, 2, dtype=keras.config.floatx())
    return step[:, None] * ops.exp(wave * (-math.log(10000) / D))


def project(x, qkv_kernel):
    """(B, T, D) tokens to queries, keys and values, (B, heads, T, dim_head) each."""
    return rearrange(ops.matmul(x, qkv_kernel), "b t (part heads d) -> part b heads t d", part=3, heads=HEADS)


def attend(query, key, value, mask=None):
    """(B, heads, T, d) queries, keys and values to weights (B, heads, T, T) and outputs (B, heads, T, d)."""
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = ops.where(mask, scores, -math.inf)
    weights = ops.softmax(scores, axis=-1)
    return weights, ops.matmul(weights, value)


def attend_framework(query, key, value, mask=None):
    """The same outputs by the framework's own function."""
    query, key, value = (
        rearrange(x, "b heads t d -> b t heads d") for x in (query, key, value)
    )  # differs: heads after T
    y = ops.dot_product_attention(query, key, value, mask=mask)
    return rearrange(y, "b t h d -> b h t d")  # differs: Keras attends with the heads after T


def deck_attention(x, qkv_kernel, out_kernel, out_bias):
    """(B, T, D) tokens to (B, T, D): project, attend, put the heads side by side, project back."""
    _, y = attend(*project(x, qkv_kernel))
    return ops.matmul(rearrange(y, "b heads t d -> b t (heads d)"), out_kernel) + out_bias


def shuffled(x, order):
    """(B, T, D) tokens in another order."""
    return ops.take(x, order, axis=1)
