"""Reductions, shapes, dtypes and precision: PyTorch's side."""

import torch
from torch.nn import functional as F


def std_ddof(x):
    return torch.std(x)


def std_ddof_equal(x):
    return torch.std(x, correction=0)


def median_even(x):
    return torch.median(x)


def median_even_equal(x):
    return torch.quantile(x, 0.5)


def split_meaning(x):
    return torch.split(x, 2)[0].sum()


def split_meaning_equal(x):
    return torch.chunk(x, 2)[0].sum()


def repeat_meaning(x):
    return x.repeat(2)


def repeat_meaning_equal(x):
    return x.repeat_interleave(2)


def one_hot_out_of_range(labels):
    try:
        return F.one_hot(labels, 3).float()
    except RuntimeError:
        return torch.full((len(labels), 3), -1.0)


def one_hot_out_of_range_equal(labels):
    return (labels[:, None] == torch.arange(3)).float()


def integer_sum(x):
    return x.int().sum().float()


def integer_sum_equal(x):
    return x.int().sum(dtype=torch.int32).float()


def float64_downcast(x):
    squares = x.double().square()
    return torch.maximum(squares, torch.zeros_like(squares))


def float64_downcast_equal(x):
    squares = x.square()
    return torch.maximum(squares, torch.zeros_like(squares))


def tf32_policy():
    return float(torch.backends.cuda.matmul.allow_tf32)


def tf32_policy_equal():
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    allowed = float(torch.backends.cuda.matmul.allow_tf32)
    torch.backends.cuda.matmul.allow_tf32 = before
    return allowed


def meshgrid_indexing(x):
    return torch.meshgrid(x, x)[0]


def meshgrid_indexing_equal(x):
    return torch.meshgrid(x, x, indexing="xy")[0]


def max_ties(x):
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(x.max(-1).values.sum(), x)
    return gradient


def max_ties_equal(x):
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(x.amax(-1).sum(), x)
    return gradient


def top_k_ties(scores):
    _, places = torch.topk(scores, 12)
    return (places[1:] > places[:-1]).all().float()


def top_k_ties_equal(scores):
    _, places = torch.sort(scores, descending=True, stable=True)
    return (places[1:12] > places[:11]).all().float()
