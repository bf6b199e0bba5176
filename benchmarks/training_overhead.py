"""What the harness costs: its training loop against the same loop written by hand, over fresh processes.

    python benchmarks/training_overhead.py [--rounds 15] [--engine torch ...]

Two processes that run the same code differ in speed by several percent for as long as they live. So each fresh process
times both loops, alternating in random order, on one thread, and gives the ratio of the median epochs. The script
prints the geometric mean over processes with its 95% interval. It is no test, because it depends on times.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

from scipy import stats

COMMON = """
import json, random, sys, time
from importlib import import_module
import numpy as np
from twin import data
from twin.catalogue import find

BLOCKS, EPOCHS = 10, 4
twin = find("lenet")
x, y = (data.load(twin.data, twin.data_options).train[name] for name in "xy")
orders = [np.random.default_rng(epoch).permutation(len(x)) for epoch in range(EPOCHS)]
train = import_module(sys.argv[1] + "_impl.train")
run = train.build(twin, dict(twin.small.arguments))
train.prepare(run, BLOCKS * EPOCHS * 45)


def harness(mark):
    train.fit(run, {"x": x, "y": y}, orders, lambda epoch, losses: mark())
"""
TORCH_HAND = """
import torch
from torch_impl.models.classification.lenet import LeNet

torch.set_num_threads(1)
model = LeNet((32, 32, 1), 10)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
criterion = torch.nn.CrossEntropyLoss()
inputs, labels = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y).long()


def hand(mark):
    for order in orders:
        total = 0.0
        for rows in torch.from_numpy(order).split(32):
            optimizer.zero_grad()
            loss = criterion(model(inputs[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        float(total)
        mark()
"""
KERAS_HAND = """
import keras
from keras_impl.models.classification.lenet import LeNet

model = LeNet((32, 32, 1), 10)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)


def hand(mark):
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mark())
    model.fit(x, y, batch_size=32, epochs=EPOCHS, shuffle=True, verbose=0, callbacks=[clock])
"""
TIMING = """
epochs = {hand: [], harness: []}
for block in range(BLOCKS + 1):
    for loop in random.sample([hand, harness], 2):
        marks = []
        loop(lambda: marks.append(time.perf_counter()))
        if block:  # the first warms up; and so does the first epoch of each
            epochs[loop] += [after - before for before, after in zip(marks, marks[1:])]
print(json.dumps([float(np.median(epochs[loop])) for loop in (harness, hand)]))
"""
SIDES = {
    "torch": ("torch", TORCH_HAND, {}),
    "keras-jax": ("keras", KERAS_HAND, {"KERAS_BACKEND": "jax"}),
    "keras-torch": ("keras", KERAS_HAND, {"KERAS_BACKEND": "torch"}),
    "keras-tensorflow": ("keras", KERAS_HAND, {"KERAS_BACKEND": "tensorflow"}),
}


def epoch_seconds(code: str, side: str, settings: dict[str, str]) -> tuple[float, float]:
    """The median epoch of both loops in one fresh process: the harness's, and the one written by hand."""
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    threads |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env = os.environ | threads | settings
    answer = subprocess.run(
        [sys.executable, "-c", COMMON + code + TIMING, side], env=env, capture_output=True, text=True, check=True
    )
    return tuple(json.loads(answer.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--engine", action="append", choices=SIDES)
    options = parser.parse_args()
    for engine in options.engine or SIDES:
        side, hand, settings = SIDES[engine]
        logs = []
        for _ in range(options.rounds):
            harness, by_hand = epoch_seconds(hand, side, settings)
            logs.append(math.log(harness / by_hand))
        mean, half = statistics.mean(logs), stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
        low, high = math.exp(mean - half), math.exp(mean + half)
        print(
            f"{engine}: harness / hand {math.exp(mean):.3f} [{low:.3f}, {high:.3f}], {len(logs)} processes", flush=True
        )


if __name__ == "__main__":
    main()
