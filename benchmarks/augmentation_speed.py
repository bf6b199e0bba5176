"""Augmented pictures per second: Keras beside PyTorch, each as its users run it, over fresh processes.

    python benchmarks/augmentation_speed.py [--rounds 15] [--engine keras-jax ...]

Two processes that run the same code differ in speed by several percent for as long as they live. So each fresh process
times both sides, alternating in random order, on one thread, with a batch of 64 pictures of 72x96 pixels, from tensors
to arrays, and gives one ratio for each transformation. Keras's functions are compiled as its backend compiles (XLA on
JAX, a graph on TensorFlow, eager on PyTorch); PyTorch is eager. The script prints the median pictures per second, and
the geometric mean of the ratio over processes with its 95% interval. It is no test, because it depends on times.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

from scipy import stats

TIMING = """
import json, random, time
import torch
import numpy as np
from keras import ops
from keras_impl import train as keras_train
from keras_impl.exercises.training import augmentation as in_keras
from keras_impl.backend import Compiled
from torch_impl import train as torch_train
from torch_impl.exercises.training import augmentation as in_torch
from twin import data
from twin.catalogue import find

BLOCKS, SECONDS = 9, 0.1
torch.set_num_threads(1)
given = data.load("photographs", {"count": 64, "height": 72, "width": 96}).test
colours = ("brightness", "contrast", "saturation", "hue")
TRANSFORMATIONS = {
    "flip": lambda side, d: side.flipped(d["pictures"], d["flip"]),
    "rotation": lambda side, d: side.moved(
        d["pictures"], side.about_middle(d["pictures"], side.rotated(d["angle"]), 0 * d["shift"])
    ),
    "resized crop": lambda side, d: side.moved(d["pictures"], side.from_box(d["pictures"], d["box"])),
    "crop": lambda side, d: side.cropped(d["pictures"], d["corner"]),
    "resize": lambda side, d: side.resized(d["pictures"], antialias=True),
    "blur": lambda side, d: side.blurred(d["pictures"]),
    "colour jitter": lambda side, d: side.jitter_as_in_torchvision(d["pictures"], *(d[name] for name in colours)),
    "normalize": lambda side, d: side.normalized(d["pictures"]),
}
for_keras = {name: keras_train.to_tensor(array) for name, array in given.items()}
layouts = {name: find("augmentation").layout(name) for name in given}
for_torch = {name: torch_train.to_tensor(array, layout=layouts[name]) for name, array in given.items()}


def sides(transformation):
    compiled = Compiled(lambda batch: transformation(in_keras, batch), [])
    return [
        lambda: ops.convert_to_numpy(compiled(for_keras)),
        lambda: transformation(in_torch, for_torch).numpy(),
    ]


def per_second(run):
    start, runs = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < SECONDS:
        run()
        runs += 1
    return 64 * runs / taken


found = {}
with torch.inference_mode():
    for name, transformation in TRANSFORMATIONS.items():
        pair = sides(transformation)
        rates = {run: [] for run in pair}
        for block in range(BLOCKS + 1):
            for run in random.sample(pair, 2):
                rate = per_second(run)
                if block:  # the first warms up
                    rates[run].append(rate)
        found[name] = [float(np.median(rates[run])) for run in pair]
print(json.dumps(found))
"""
ENGINES = {"keras-tensorflow": "tensorflow", "keras-jax": "jax", "keras-torch": "torch"}


def rates(backend: str) -> dict[str, tuple[float, float]]:
    """Pictures per second of Keras and of PyTorch for each transformation, in one fresh process."""
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    threads |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env = os.environ | threads | {"KERAS_BACKEND": backend}
    answer = subprocess.run([sys.executable, "-c", TIMING], env=env, capture_output=True, text=True)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    return json.loads(answer.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="fresh processes for each engine, at least 2")
    parser.add_argument("--engine", action="append", choices=ENGINES)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error(f"--rounds must be at least 2, for an interval; received {options.rounds}")
    for engine in options.engine or ENGINES:
        processes = [rates(ENGINES[engine]) for _ in range(options.rounds)]
        print(f"{engine}, {options.rounds} processes: pictures per second of Keras, of PyTorch, and their ratio")
        for name in processes[0]:
            pairs = [process[name] for process in processes]
            logs = [math.log(of_keras / of_torch) for of_keras, of_torch in pairs]
            mean, half = statistics.mean(logs), stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
            low, high = math.exp(mean - half), math.exp(mean + half)
            of_keras, of_torch = (statistics.median(rates) for rates in zip(*pairs, strict=True))
            print(
                f"  {name:14}{of_keras:10,.0f}{of_torch:10,.0f}   {math.exp(mean):.2f} [{low:.2f}, {high:.2f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
