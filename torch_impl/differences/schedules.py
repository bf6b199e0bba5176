"""Schedules: PyTorch's side. The learning rates of some steps."""

import torch
from torch import nn
from torch.optim import lr_scheduler


def _sgd():
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def _rates(scheduler, steps):
    """The rate of each of so many steps, the schedule being advanced after each."""
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def schedule_step():
    scheduler = lr_scheduler.ExponentialLR(_sgd(), gamma=0.5)
    return [rate for rate in _rates(scheduler, 2) for _ in range(3)]  # two epochs of three steps


def schedule_step_equal():
    return _rates(lr_scheduler.ExponentialLR(_sgd(), gamma=0.5), 6)  # scheduler.step() after every batch


def step_decay():
    return _rates(lr_scheduler.StepLR(_sgd(), step_size=2, gamma=0.5), 6)


def step_decay_equal():
    return _rates(lr_scheduler.ExponentialLR(_sgd(), gamma=0.5 ** (1 / 2)), 6)


def piecewise_boundary():
    return _rates(lr_scheduler.MultiStepLR(_sgd(), milestones=[2], gamma=0.1), 6)


def piecewise_boundary_equal():
    return _rates(lr_scheduler.MultiStepLR(_sgd(), milestones=[2 + 1], gamma=0.1), 6)


def cosine_after_end(steps):
    return _rates(lr_scheduler.CosineAnnealingLR(_sgd(), T_max=4), len(steps))


def cosine_after_end_equal(steps):
    scheduler = lr_scheduler.CosineAnnealingLR(_sgd(), T_max=4)
    rates = _rates(scheduler, min(len(steps), 4))
    return rates + [scheduler.get_last_lr()[0]] * (len(steps) - len(rates))  # the schedule is advanced no further


def plateau_patience(losses):
    return _rates_on(losses, lr_scheduler.ReduceLROnPlateau(_sgd(), patience=2))


def plateau_patience_equal(losses):
    return _rates_on(losses, lr_scheduler.ReduceLROnPlateau(_sgd(), patience=2 - 1))


def plateau_threshold(losses):
    return _rates_on(losses, lr_scheduler.ReduceLROnPlateau(_sgd(), patience=0))


def plateau_threshold_equal(losses):
    return _rates_on(losses, lr_scheduler.ReduceLROnPlateau(_sgd(), patience=0, threshold_mode="abs"))


def _rates_on(losses, scheduler):
    """The rate after each epoch with such a loss."""
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(scheduler.get_last_lr()[0])
    return rates
