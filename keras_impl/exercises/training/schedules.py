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

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule


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
        "lambda": lambda rate: Lambda(rate, lambda t: 1 / (1 + t)),
        "exponential": lambda rate: ExponentialDecay(rate, decay_steps=1, decay_rate=0.9),
        "step": lambda rate: ExponentialDecay(rate, decay_steps=2, decay_rate=0.5, staircase=True),
        "cosine": lambda rate: CosineDecay(rate, decay_steps=count),
        "warm_up": lambda rate: CosineDecay(
            0.1 * rate, warmup_target=rate, warmup_steps=warm_up, decay_steps=count - warm_up
        ),
    }


def taken(schedule, rate, every, steps):
    """The rates (steps,) with which an optimizer moves a weight, while the schedule counts once in `every` steps."""
    weight = keras.Variable(ops.zeros_like(rate))
    optimizer = keras.optimizers.SGD(Every(every, schedule(float(rate[0]))))
    moves = []
    for _ in range(steps):
        weight.assign(ops.zeros_like(rate))
        optimizer.apply([ops.ones_like(rate)], [weight])
        moves.append(-weight[0])
    return ops.stack(moves)


class Every(LearningRateSchedule):  # differs: Keras counts the optimizer's steps, and nothing else
    """A schedule that counts once in so many steps."""

    def __init__(self, every, schedule):
        super().__init__()
        self.every = every
        self.schedule = schedule

    def __call__(self, step):
        return self.schedule(step // self.every)


class Lambda(LearningRateSchedule):  # differs: PyTorch has it as LambdaLR
    """The rate times any function of the count."""

    def __init__(self, rate, factor):
        super().__init__()
        self.rate = rate
        self.factor = factor

    def __call__(self, step):
        return self.rate * self.factor(ops.cast(step, keras.config.floatx()))
