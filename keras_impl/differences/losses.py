"""Losses: Keras's side."""

from keras import losses, ops


def bce_clip(y, p):
    return losses.BinaryCrossentropy()(y, p)


def cross_entropy_logits(y, logits):
    return losses.SparseCategoricalCrossentropy()(y, logits)


def cross_entropy_logits_equal(y, logits):
    return losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits)


def loss_reduction(p, q):
    return losses.KLDivergence()(p, q)


def class_weights(y, logits, weights):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    return loss(y, logits, sample_weight=ops.take(weights, y))


def class_weights_equal(y, logits, weights):
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
    return loss(y, logits, sample_weight=ops.take(weights, y))


def ignored_labels(y, logits):
    return losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits)


def ignored_labels_equal(y, logits):
    return losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)(y, logits)


def broadcast_targets(y, p):
    return losses.MeanSquaredError()(y, p)


def cosine_loss_sign(a, b):
    return losses.CosineSimilarity()(a, b)


def cosine_loss_sign_equal(a, b):
    return 1 + losses.CosineSimilarity()(a, b)


def poisson_log_input(y, p):
    return losses.Poisson()(y, p)


def poisson_log_input_equal(y, p):
    return losses.Poisson()(y, ops.exp(p))


def ctc_reduction(y, logits):
    return losses.CTC()(y, logits)


def smooth_l1_beta(y, p):
    return losses.Huber(delta=1 / 9)(y, p)


def smooth_l1_beta_equal(y, p):
    return 9 * losses.Huber(delta=1 / 9)(y, p)
