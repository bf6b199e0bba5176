"""What might differ and does not: Keras's side."""

from keras import layers, losses, ops


def elu_alpha(x):
    return layers.ELU()(x)


def hard_sigmoid_slope(x):
    return ops.hard_sigmoid(x)


def softplus_threshold(x):
    return ops.softplus(x)


def even_kernel_same(x, kernel):
    return ops.conv(x, kernel, padding="same")


def bilinear_downsampling(x):
    return ops.image.resize(x, (5, 5), interpolation="bilinear")


def adaptive_pool_windows(x):
    return layers.AdaptiveAveragePooling2D(3)(x)


def dropout_scaling(x):
    kept = layers.Dropout(0.25)(x, training=True)
    return ops.max(kept)


def label_smoothing(one_hot, logits):
    return losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(one_hot, logits)


def huber_delta(y, p):
    return losses.Huber()(y, p)


def rounding_of_halves(x):
    return ops.round(x)


def remainder_sign(x):
    return ops.mod(x, 3.0)
