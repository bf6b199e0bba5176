"""Attention, masks and embeddings: Keras's side."""

from keras import layers, ops

from keras_impl.differences import with_weights


def attention_scale(q, k, v):
    return layers.Attention()([q, v, k])


def attention_scale_equal(q, k, v):
    return layers.Attention()([q * q.shape[-1] ** -0.5, v, k])


def attention_argument_order(q, k, v):
    return _plain_attention(q)(q, k, v)


def attention_argument_order_equal(q, k, v):
    return _plain_attention(q)(query=q, key=k, value=v)


def _plain_attention(x):
    """One head whose projections change nothing."""
    layer = layers.MultiHeadAttention(num_heads=1, key_dim=4, use_bias=False)
    layer.build(x.shape, x.shape)
    for kernel in layer.weights:
        kernel.assign(ops.reshape(ops.eye(4), kernel.shape))
    return layer


def attention_mask_meaning(x, mask):
    return _plain_attention(x)(x, x, attention_mask=ops.cast(mask, "bool")[:, None])


def attention_mask_meaning_equal(x, mask):
    return _plain_attention(x)(x, x, attention_mask=ops.logical_not(ops.cast(mask, "bool"))[:, None])


def attention_layout(x):
    four_by_four = ops.reshape(x, (2, 4, 4, 2))
    attended = ops.dot_product_attention(four_by_four, four_by_four, four_by_four)
    return ops.reshape(attended, (2, 4, 8))


def attention_layout_equal(x):
    four_by_four = ops.swapaxes(ops.reshape(x, (2, 4, 4, 2)), 1, 2)
    attended = ops.dot_product_attention(four_by_four, four_by_four, four_by_four)
    return ops.reshape(ops.swapaxes(attended, 1, 2), (2, 4, 8))


def attention_all_masked(x):
    nothing = ops.zeros((1, 1, 4, 4), "bool")
    heads = x[:, :, None, :]  # (B, T, 1, D)
    return ops.dot_product_attention(heads, heads, heads, mask=nothing)[:, :, 0]


def attention_key_dim(x):
    layer = layers.MultiHeadAttention(num_heads=4, key_dim=16)
    layer.build(x.shape, x.shape)
    return layer.count_params()


def attention_key_dim_equal(x):
    layer = layers.MultiHeadAttention(num_heads=4, key_dim=16 // 4)
    layer.build(x.shape, x.shape)
    return layer.count_params()


def embedding_padding(tokens, table):
    x = with_weights(layers.Embedding(5, 3, mask_zero=True), tokens, table)(tokens)
    return layers.GlobalAveragePooling1D()(x)


def embedding_padding_equal(tokens, table):
    x = with_weights(layers.Embedding(5, 3), tokens, table)(tokens)
    return layers.GlobalAveragePooling1D()(x)


def embedding_padding_vector(tokens):
    x = layers.Embedding(5, 3, mask_zero=True)(tokens)
    return ops.cast(ops.any(x[0, -1] != 0), "float32")
