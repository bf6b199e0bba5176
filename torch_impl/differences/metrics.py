"""Metrics and means over batches: PyTorch's side, by hand, for PyTorch has no metrics."""

import torch
from torch.nn import functional as F


def binary_accuracy_logits(y, logits):
    return ((logits > 0) == (y > 0.5)).float().mean()


def binary_accuracy_logits_equal(y, logits):
    return ((logits > 0.5) == (y > 0.5)).float().mean()


def auc_thresholds(y, scores):
    positive, negative = scores[y == 1], scores[y == 0]
    return (positive[:, None] > negative).float().mean()  # how often a positive stands above a negative


def last_batch(x):
    losses = [F.mse_loss(batch, torch.zeros_like(batch)) for batch in x.split(4)]
    return torch.stack(losses).mean()


def last_batch_equal(x):
    losses = [F.mse_loss(batch, torch.zeros_like(batch)) * len(batch) for batch in x.split(4)]
    return torch.stack(losses).sum() / len(x)
