"""Initial values, as statistics of large seeded draws: Keras's side."""

from keras import initializers, layers, ops


def dense_init():
    layer = layers.Dense(4096)
    layer.build((None, 1024))
    return ops.stack([ops.std(layer.kernel), ops.std(layer.bias)])


def dense_init_equal():
    bound = 1024**-0.5
    uniform = initializers.RandomUniform(-bound, bound)
    layer = layers.Dense(4096, kernel_initializer=uniform, bias_initializer=uniform)
    layer.build((None, 1024))
    return ops.stack([ops.std(layer.kernel), ops.std(layer.bias)])


def conv_init():
    layer = layers.Conv2D(256, 3)
    layer.build((None, 8, 8, 64))
    return ops.std(layer.kernel)


def conv_init_equal():
    layer = layers.Conv2D(256, 3, kernel_initializer=initializers.VarianceScaling(1 / 3, "fan_in", "uniform"))
    layer.build((None, 8, 8, 64))
    return ops.std(layer.kernel)


def embedding_init():
    layer = layers.Embedding(10000, 64)
    layer.build()
    return ops.std(layer.embeddings)


def embedding_init_equal():
    layer = layers.Embedding(10000, 64, embeddings_initializer=initializers.RandomNormal(stddev=1.0))
    layer.build()
    return ops.std(layer.embeddings)


def lstm_init():
    layer = layers.LSTM(128)
    layer.build((None, 10, 128))
    kernel, recurrent, bias = layer.weights
    products = ops.matmul(recurrent, ops.transpose(recurrent))  # of every two rows
    return ops.stack([ops.std(kernel), ops.max(ops.abs(products - ops.eye(128))), ops.mean(bias[128:256])])


def he_normal_truncation():
    w = initializers.HeNormal(seed=0)((1000, 1000))
    return ops.stack([ops.std(w), ops.mean(ops.cast(ops.abs(w) > 2.5 * ops.std(w), "float32"))])


def he_normal_truncation_equal():
    w = initializers.RandomNormal(stddev=(2 / 1000) ** 0.5, seed=0)((1000, 1000))
    return ops.stack([ops.std(w), ops.mean(ops.cast(ops.abs(w) > 2.5 * ops.std(w), "float32"))])


def truncated_normal_bounds():
    w = initializers.TruncatedNormal(stddev=0.02, seed=0)((1000, 1000))
    return ops.stack([ops.std(w), ops.mean(ops.cast(ops.abs(w) > 0.04, "float32"))])


def normal_initializer_std():
    return ops.std(initializers.RandomNormal(seed=0)((1000, 1000)))


def normal_initializer_std_equal():
    return ops.std(initializers.RandomNormal(stddev=1.0, seed=0)((1000, 1000)))


def attention_init():
    layer = layers.MultiHeadAttention(num_heads=8, key_dim=32)
    layer.build((None, 10, 256), (None, 10, 256))
    return ops.std(layer.query_dense.kernel)


def attention_init_equal():
    of_all_three = initializers.VarianceScaling(0.5, "fan_in", "uniform")  # 2 / (1 + 3) of the fan-in
    layer = layers.MultiHeadAttention(num_heads=8, key_dim=32, kernel_initializer=of_all_three)
    layer.build((None, 10, 256), (None, 10, 256))
    return ops.std(layer.query_dense.kernel)
