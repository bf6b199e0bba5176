"""Losses: PyTorch's side."""

import torch
from torch import nn
from torch.nn import functional as F


def bce_clip(y, p):
    return nn.BCELoss()(p, y)


def bce_clip_equal(y, p):
    return nn.BCELoss()(p.clamp(1e-7, 1 - 1e-7), y)


def cross_entropy_logits(y, logits):
    return nn.CrossEntropyLoss()(logits, y)


def loss_reduction(p, q):
    return nn.KLDivLoss()(q.log(), p)


def loss_reduction_equal(p, q):
    return nn.KLDivLoss(reduction="batchmean")(q.log(), p)


def class_weights(y, logits, weights):
    return nn.CrossEntropyLoss(weight=weights)(logits, y)


def class_weights_equal(y, logits, weights):
    return nn.CrossEntropyLoss(weight=weights, reduction="sum")(logits, y) / len(y)


def ignored_labels(y, logits):
    return nn.CrossEntropyLoss()(logits, y)


def broadcast_targets(y, p):
    return nn.MSELoss()(p, y)


def broadcast_targets_equal(y, p):
    return nn.MSELoss()(p, y[:, None])


def cosine_loss_sign(a, b):
    return nn.CosineEmbeddingLoss()(a, b, torch.ones(len(a)))


def cosine_loss_sign_equal(a, b):
    return -F.cosine_similarity(a, b).mean()


def poisson_log_input(y, p):
    return nn.PoissonNLLLoss()(p, y)


def poisson_log_input_equal(y, p):
    return nn.PoissonNLLLoss(log_input=False)(p, y)


def ctc_reduction(y, logits):
    return nn.CTCLoss()(*_ctc_arguments(y, logits))


def ctc_reduction_equal(y, logits):
    return nn.CTCLoss(reduction="none")(*_ctc_arguments(y, logits)).mean()


def _ctc_arguments(y, logits):
    """(T, B, C) log-probabilities, labels, and the length of each."""
    log_p = F.log_softmax(logits, dim=-1).swapaxes(0, 1)
    return log_p, y, torch.full((len(y),), logits.shape[1]), (y != 0).sum(1)


def smooth_l1_beta(y, p):
    return nn.SmoothL1Loss(beta=1 / 9)(p, y)


def smooth_l1_beta_equal(y, p):
    return nn.HuberLoss(delta=1 / 9)(p, y)
