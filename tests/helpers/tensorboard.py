"""Logs of a training, as TensorBoard reads them."""

import json
import subprocess
import sys
from pathlib import Path


def read_back(*places: Path) -> list[dict[str, list[tuple[int, float]]]]:
    """Per folder tag -> step and value, as TensorBoard itself reads the folder's one event file."""
    script = (
        "import json, sys, tensorboard.compat\n"
        "sys.modules['tensorboard.compat.notf'] = tensorboard.compat  # its own way to do without TensorFlow\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "every = [EventAccumulator(place).Reload() for place in sys.argv[1:]]\n"
        "curve = lambda events, tag: [(each.step, each.value) for each in events.Scalars(tag)]\n"
        "print(json.dumps([{tag: curve(one, tag) for tag in one.Tags()['scalars']} for one in every]))"
    )
    command = [sys.executable, "-c", script, *places]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return [{tag: [tuple(pair) for pair in pairs] for tag, pairs in one.items()} for one in json.loads(said)]
