"""`python -m tests.helpers.saved ENGINE NAMES`: twins written to files and read again; a JSON line each: what differs.

Keras twins are saved as `.keras`, PyTorch twins as a state dict and as an exported program; Keras's backend is the one
of the environment that this runs in.
With `--damaged`, what was read is changed before it is compared.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from compare.engines.engine import ENGINES
from compare.worker.model import with_tuples
from twin.batches import data_options, drawn, perturb_constants
from twin.catalogue import find
from twin.data import load

ROWS = 4


def batch_of(twin):
    """A few training rows, and what a step draws."""
    rng = np.random.default_rng(0)
    rows = {name: array[:ROWS] for name, array in load(twin.data, data_options(twin, "small")).train.items()}
    return rows | {draw.name: drawn(draw, ROWS, twin.small.arguments, rng) for draw in twin.draws}


def built(train, twin, seed):
    """The twin, no weight of it constant."""
    run = train.build(twin, with_tuples(twin.ladder_arguments("small")), seed=seed)
    train.load_weights(run, perturb_constants(train.dump_weights(run), np.random.default_rng(seed)))
    return run


def unequal(what, one, other):
    """A line for each array that is not the same on both sides."""
    if one.keys() != other.keys():
        return [f"{what}: {sorted(one.keys() ^ other.keys())} on one side only"]
    return [f"{what}: {name}" for name in one if not np.array_equal(one[name], other[name])]


def far(what, one, other):
    """A line for each output that is farther than rounding: kernels may add up in another order the next time."""
    return [
        f"{what}: {name}"
        for name, wanted in one.items()
        if not np.linalg.norm(other[name] - wanted) <= 1e-6 * np.linalg.norm(wanted)  # NaN is far as well
    ]


def of_keras(twin, folder):
    """A `.keras` file: the class, its arguments, weights and outputs; the optimizer, and the step after it."""
    from dataclasses import replace

    import keras

    from keras_impl import train

    run, batch, file = built(train, twin, 1), batch_of(twin), folder / f"{twin.name}.keras"
    compiled = not hasattr(run.module, "PHASES")
    if compiled:
        train.prepare(run, 10)
        train.step(run, batch)
    run.model.save(file)
    loaded = replace(run, model=keras.saving.load_model(file))
    assert type(loaded.model) is type(run.model), f"loaded as a {type(loaded.model).__name__}"
    if "--damaged" in sys.argv:
        loaded.model.trainable_variables[0].assign_add(np.float32(0.01))
        loaded.model.optimizer.variables[0].assign_add(1)
    found = [] if loaded.model.get_config() == run.model.get_config() else ["arguments"]
    found += unequal("weights", train.dump_weights(run), train.dump_weights(loaded))
    found += far("outputs", train.forward(run, batch), train.forward(loaded, batch))
    if compiled:
        states = [
            {str(place): keras.ops.convert_to_numpy(v.value) for place, v in enumerate(each.model.optimizer.variables)}
            for each in (run, loaded)
        ]
        found += unequal("optimizer", *states)
        losses = [train.step(each, batch)["loss"] for each in (run, loaded)]
        # The same weights and draws: only rounding differs, and a CTC loss sums many logarithms.
        if not np.isclose(*losses, rtol=1e-4):
            found.append(f"the next step's loss: {losses[0]} and {losses[1]}")
    return found


def of_torch(twin, folder):
    """A state dict, read into a model of other weights, and an exported program."""
    import torch

    from torch_impl import train

    run, batch, file = built(train, twin, 1), batch_of(twin), folder / f"{twin.name}.pt"
    torch.save(run.model.state_dict(), file)
    other = built(train, twin, 2)
    other.model.load_state_dict(torch.load(file, weights_only=True))
    if "--damaged" in sys.argv:
        next(other.model.parameters()).data.add_(0.01)
    found = unequal("weights", run.model.state_dict(), other.model.state_dict())
    wanted = train.forward(run, batch)
    found += far("outputs", wanted, train.forward(other, batch))

    inputs = train.to_tensors(run, twin.inputs_of(batch))
    given = ((), inputs) if len(inputs) > 1 else (tuple(inputs.values()), {})
    torch.export.save(torch.export.export(run.model.eval(), *given), file.with_suffix(".pt2"))
    program = torch.export.load(file.with_suffix(".pt2")).module()
    with torch.no_grad():
        outputs = train.to_arrays(twin, program(*given[0], **given[1]))
    return found + far("outputs of the exported program", wanted, outputs)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    one = of_keras if ENGINES[sys.argv[1]].side == "keras" else of_torch
    with tempfile.TemporaryDirectory() as folder:
        for name in [argument for argument in sys.argv[2:] if argument != "--damaged"]:
            try:
                differences = one(find(name), Path(folder))
            except Exception as error:
                differences = [f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"]
            print(json.dumps({"twin": name, "differences": differences}), file=answers, flush=True)
