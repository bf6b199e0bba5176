"""Learning rate schedules: large steps first, small ones at the end.

A schedule is a function of a count. What it counts differs: Keras calls it at every step of the optimizer, PyTorch
at every `scheduler.step()`, usually once an epoch. So the same exponential decay with 0.9 multiplies the rate by 0.9
at each step in Keras and at each epoch in PyTorch. Here every schedule runs both ways, with both frameworks counting
steps and then both counting epochs, and the rates agree at every step.

Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), section 3, without the restarts,
for the cosine; Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour" (2017), section 2.2, for the
warm-up. The rates are measured on what the optimizer does: a weight of 0 whose gradient is 1 moves to minus the
rate. Past its end, PyTorch's cosine rises again, and Keras's stays at 0.

Slides: deck D, "Lambda LR" and "CosineAnnealingLR"; deck E, ExponentialLR.
"""

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, SequentialLR, StepLR


def run(rate, lengths):
    """(1,) first rate, and (2,) steps an epoch and epochs, to the (steps,) rates of a training by each schedule."""
    steps_per_epoch, epochs = (int(length) for length in lengths)
    steps = steps_per_epoch * epochs
    rates = {}
    for every, unit in ((1, "step"), (steps_per_epoch, "epoch")):
        for name, schedule in schedules(steps // every).items():
            rates[f"{name}_per_{unit}"] = taken(schedule, rate, every, steps)
    return rates


def schedules(count):
    """Ways to change the rate, by name; those with an end have it after `count`."""
    warm_up = count // 3
    return {
        "lambda": lambda optimizer: LambdaLR(optimizer, lambda t: 1 / (1 + t)),
        "exponential": lambda optimizer: ExponentialLR(optimizer, gamma=0.9),
        "step": lambda optimizer: StepLR(optimizer, step_size=2, gamma=0.5),
        "cosine": lambda optimizer: CosineAnnealingLR(optimizer, T_max=count),
        "warm_up": lambda optimizer: SequentialLR(  # differs: Keras's cosine has a warm-up of its own
            optimizer,
            [
                LinearLR(optimizer, start_factor=0.1, total_iters=warm_up),
                CosineAnnealingLR(optimizer, T_max=count - warm_up),
            ],
            milestones=[warm_up],
        ),
    }


def taken(schedule, rate, every, steps):
    """The rates (steps,) with which an optimizer moves a weight, while the schedule counts once in `every` steps."""
    weight = torch.zeros_like(rate)
    optimizer = torch.optim.SGD([weight], lr=float(rate[0]))
    scheduler = schedule(optimizer)  # differs: torch's schedule stands beside the optimizer
    moves = []
    for step in range(1, steps + 1):
        weight.zero_()
        weight.grad = torch.ones_like(weight)  # differs: torch reads the gradients off the parameters
        optimizer.step()
        moves.append(-weight[0])
        if step % every == 0:  # differs: torch's schedule is told when to count
            scheduler.step()
    return torch.stack(moves)
