"""What the bench adds inside a timed loop: its training step against the same step written by hand.

    python benchmarks/chunk_overhead.py [--rounds 12] [--twin lenet]

Each fresh process times both, native PyTorch on one thread, alternating in random order, and gives a ratio of medians.
Both train the same model object: two objects at different places in memory differ by more than what is measured here.
The script prints the geometric mean over processes with its 95% interval. It is no test, because it depends on times.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

from scipy import stats

from compare.engines.engine import ENGINES

SCRIPT = """
import json, random, statistics, sys, time
import torch
from compare.worker.stopwatch import Stopwatch
from torch_impl import timing, train
from twin import data
from twin.catalogue import find

twin = find(sys.argv[1])
batch = {name: array[: twin.batch_size] for name, array in data.load(twin.data, twin.data_options).train.items()}
run = train.build(twin, dict(twin.small.arguments))
watch = Stopwatch(train, timing, run, batch, batch)
watch.first_steps()
count, _ = watch.warm_up("step")

model = run.model
optimizer = torch.optim.Adam(model.parameters(), timing.STILL * twin.optimizer.learning_rate)
criterion = torch.nn.CrossEntropyLoss()
tensors = train.to_tensors(run, batch)
x, y = tensors["x"], tensors["y"]


def hand():
    start = time.perf_counter()
    for _ in range(count):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / count


ways = {"bench": lambda: watch.timed_loop("step", count), "hand": hand}
seconds = {name: [] for name in ways}
for block in range(22):
    for name in random.sample(list(ways), 2):
        seconds[name].append(ways[name]())
print(json.dumps([statistics.median(seconds[name][2:]) for name in ("bench", "hand")]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--twin", default="lenet", choices=["lenet", "mlp"])
    options = parser.parse_args()
    env = os.environ | ENGINES["torch"].environment("cpu", 1)
    logs = []
    for _ in range(options.rounds):
        command = [sys.executable, "-c", SCRIPT, options.twin]
        answer = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        bench, hand = json.loads(answer.stdout.splitlines()[-1])
        logs.append(math.log(bench / hand))
    mean, half = statistics.mean(logs), stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
    low, high = math.exp(mean - half), math.exp(mean + half)
    print(f"{options.twin}: bench / hand {math.exp(mean):.4f} [{low:.4f}, {high:.4f}], {len(logs)} processes")


if __name__ == "__main__":
    main()
