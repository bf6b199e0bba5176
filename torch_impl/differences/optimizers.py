"""Optimizers: PyTorch's side. Weights take steps along given gradients, one row of `gradients` a step."""

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def _steps(optimizer, w, gradients, **settings):
    w = nn.Parameter(w)
    stepper = optimizer([w], **settings)
    for gradient in gradients:
        w.grad = gradient
        stepper.step()
    return w


def adam_epsilon(w, gradients):
    return _steps(torch.optim.Adam, w, gradients)


def adam_epsilon_equal(w, gradients):
    return _steps(torch.optim.Adam, w, gradients, eps=1e-7 / (1 - 0.999) ** 0.5)


def adam_epsilon_hat(w, gradients):
    return _steps(torch.optim.Adam, w, gradients, lr=0.001, eps=1e-7)


def adam_epsilon_hat_equal(w, gradients):
    w = nn.Parameter(w)
    adam = torch.optim.Adam([w], lr=0.001)
    for step, gradient in enumerate(gradients, start=1):
        adam.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**step) ** 0.5
        w.grad = gradient
        adam.step()
    return w


def adam_weight_decay(w, gradients):
    return _steps(torch.optim.Adam, w, gradients, lr=0.01, weight_decay=0.1)


def adam_weight_decay_equal(w, gradients):
    return _steps(torch.optim.AdamW, w, gradients, lr=0.01, weight_decay=0.1)


def adamw_decay_default(w, gradients):
    return _steps(torch.optim.AdamW, w, gradients, lr=0.1)


def adamw_decay_default_equal(w, gradients):
    return _steps(torch.optim.AdamW, w, gradients, lr=0.1, weight_decay=0.004)


def adam_float64(w, gradients):
    return _steps(torch.optim.Adam, w.double(), gradients.double(), lr=0.001, eps=1e-7)


def adam_float64_equal(w, gradients):
    rate, first, second = (float(np.float32(value)) for value in (0.001, 0.9, 0.999))
    rounded = (1 - second) ** 0.5 / (1 - first)  # of the bias corrections at step 1
    exact = (1 - 0.999) ** 0.5 / (1 - 0.9)
    eps = 1e-7 / (1 - 0.999) ** 0.5
    return _steps(torch.optim.Adam, w.double(), gradients.double(), lr=rate * rounded / exact, eps=eps)


def sgd_learning_rate(w, gradients):
    return _steps(torch.optim.SGD, w, gradients)


def sgd_learning_rate_equal(w, gradients):
    return _steps(torch.optim.SGD, w, gradients, lr=0.01)


def sgd_momentum_rate(w, gradients):
    w = nn.Parameter(w)
    sgd = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for rate, gradient in zip((0.1, 0.1, 0.01), gradients, strict=True):
        sgd.param_groups[0]["lr"] = rate
        w.grad = gradient
        sgd.step()
    return w


def sgd_momentum_rate_equal(w, gradients):
    w = nn.Parameter(w)
    sgd = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for rate, gradient in zip((0.1, 0.1, 0.01), gradients, strict=True):
        if w in sgd.state:  # what is kept has the old rate in it
            sgd.state[w]["momentum_buffer"] *= sgd.param_groups[0]["lr"] / rate
        sgd.param_groups[0]["lr"] = rate
        w.grad = gradient
        sgd.step()
    return w


def sgd_weight_decay(w, gradients):
    return _steps(torch.optim.SGD, w, gradients, lr=0.1, momentum=0.9, weight_decay=0.1)


def sgd_weight_decay_equal(w, gradients):
    w = nn.Parameter(w)
    sgd = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    for gradient in gradients:
        w.data *= 1 - 0.1 * 0.1
        w.grad = gradient
        sgd.step()
    return w


def l2_regularizer(square):
    return _steps(torch.optim.SGD, square, torch.zeros(1, 4, 4), lr=0.1, weight_decay=0.1)


def l2_regularizer_equal(square):
    return _steps(torch.optim.SGD, square, torch.zeros(1, 4, 4), lr=0.1, weight_decay=2 * 0.1)


def rmsprop_epsilon(w, gradients):
    return _steps(torch.optim.RMSprop, w, gradients, lr=0.001, alpha=0.9, eps=1e-7)


def rmsprop_epsilon_equal(w, gradients):
    square = torch.zeros_like(w)
    for gradient in gradients:
        square = 0.9 * square + 0.1 * gradient**2
        w = w - 0.001 * gradient / torch.sqrt(square + 1e-7)
    return w


def rmsprop_defaults(w, gradients):
    return _steps(torch.optim.RMSprop, w, gradients)


def rmsprop_defaults_equal(w, gradients):
    return _steps(torch.optim.RMSprop, w, gradients, lr=0.001, alpha=0.9)


def adagrad_accumulator(w, gradients):
    return _steps(torch.optim.Adagrad, w, gradients, lr=0.01)


def adagrad_accumulator_equal(w, gradients):
    return _steps(torch.optim.Adagrad, w, gradients, lr=0.01, initial_accumulator_value=0.1)


def adadelta_defaults(w, gradients):
    return _steps(torch.optim.Adadelta, w, gradients)


def adadelta_defaults_equal(w, gradients):
    return _steps(torch.optim.Adadelta, w, gradients, lr=0.001, rho=0.95, eps=1e-7)


def nadam_momentum_decay(w, gradients):
    return _steps(torch.optim.NAdam, w, gradients, lr=0.001)


def nadam_momentum_decay_equal(w, gradients):
    return _steps(torch.optim.NAdam, w, gradients, lr=0.001, momentum_decay=1.0)


def adam_embedding(table, tokens):
    layer = nn.Embedding.from_pretrained(table, freeze=False)
    adam = torch.optim.Adam(layer.parameters(), lr=0.1)
    (layer(tokens) ** 2).sum().backward()
    adam.step()
    return layer.weight


def clipnorm(gradients):
    return _clipped(gradients, lambda weights: nn.utils.clip_grad_norm_(weights, 1.0))


def clipnorm_equal(gradients):
    return _clipped(gradients, lambda weights: [nn.utils.clip_grad_norm_([w], 1.0) for w in weights])


def _clipped(gradients, clip):
    """Two weights after a step along clipped gradients."""
    weights = [nn.Parameter(torch.tensor(0.0)) for _ in gradients]
    for w, gradient in zip(weights, gradients, strict=True):
        w.grad = gradient.clone()
    clip(weights)
    torch.optim.SGD(weights, lr=1.0).step()
    return torch.stack(weights)


def gradient_accumulation(w, gradients):
    return _accumulated(w, gradients)


def gradient_accumulation_equal(w, gradients):
    return _accumulated(w, gradients / 2)


def _accumulated(w, gradients):
    w = nn.Parameter(w)
    for gradient in gradients:
        (w * gradient).sum().backward()  # adds to w.grad
    torch.optim.SGD([w], lr=0.1).step()
    return w


def weight_average(w, gradients):
    return _averaged(w, gradients)


def weight_average_equal(w, gradients):
    return _averaged(w, gradients, multi_avg_fn=get_ema_multi_avg_fn(0.99))


def _averaged(w, gradients, **settings):
    model = nn.ParameterList([w])
    average = AveragedModel(model, **settings)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for gradient in gradients:
        model[0].grad = gradient
        sgd.step()
        average.update_parameters(model)
    return average.module[0]
