"""`twin notebook`: a twin as a notebook that runs: the idea, both files, one set of weights, a short training.

Everything in it comes from the twin's files and the catalogue. Both sides run in the notebook's one process, Keras on
PyTorch; only the comparison of speeds needs processes of their own.
"""

import ast
import textwrap
from collections.abc import Iterator
from typing import Any

import nbformat

from compare.engines.engine import FRAMEWORKS
from compare.reading import prose
from compare.reading.aligned import SIDES
from twin.paths import source
from twin.spec import Twin

EPOCHS, ROWS = 4, 512  # of the short training
SETUP = """
import os
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # both sides in one process
warnings.filterwarnings("ignore")

import matplotlib.pyplot as plt
import numpy as np

import keras_impl.train as keras_side
import torch_impl.train as torch_side
from twin.batches import exercise_inputs, make_batches, of_step
from twin.bridge import redundant_names
from twin.catalogue import find
from twin.crossing import Crossing
from twin.data import load

twin = find({name!r})
arguments = twin.ladder_arguments("small")  # the twin's small size, without dropout


def use(side, file):
    \"\"\"Take a file of this notebook in the place of the twin's own.\"\"\"
    exec(compile(Path(file).read_text(encoding="utf-8"), file, "exec"), vars(side.load_module(twin)))
"""
BUILT = """
model = {side}_side.load_module(twin).{model}(**arguments)
print(f"{{{count}:,}} parameters")
"""
COUNTS = {"keras": "model.count_params()", "torch": "sum(p.numel() for p in model.parameters())"}
SAME_WEIGHTS = """
keras_run = keras_side.build(twin, arguments)
torch_run = torch_side.build(twin, arguments)
crossing = Crossing("keras", keras_side.describe(keras_run), torch_side.describe(torch_run), twin)
torch_weights = torch_side.dump_weights(torch_run)
keras_side.load_weights(keras_run, crossing.out(torch_weights))
print(f"{len(torch_weights)} arrays, {sum(array.size for array in torch_weights.values()):,} numbers")
"""
OUTPUTS = """
batches = make_batches(twin, arguments, "small", np.random.default_rng(0))
batch = of_step(batches)
keras_outputs = keras_side.forward(keras_run, batch)
torch_outputs = torch_side.forward(torch_run, batch)


def apart(ours, theirs):
    \"\"\"Relative L2 distance.\"\"\"
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), 1e-30))


for name, output in torch_outputs.items():
    print(f"{name}: shape {output.shape}, {apart(keras_outputs[name], output):.1e} apart")
    assert apart(keras_outputs[name], output) < 1e-4, f"{name} differs: what did you change?"
"""
# How far a gradient may be, relative to the largest one. What `twin check` chooses its batches by, a notebook has not:
# a ReLU that rounding switches moves yolact's gradients by 1.6e-3.
GRADIENT_LIMIT, OF_ITS_OWN = 1e-3, {"yolact": 5e-3}
GRADIENTS = """
keras_losses, keras_gradients = keras_side.loss_and_gradients(keras_run, batch)
torch_losses, torch_gradients = torch_side.loss_and_gradients(torch_run, batch)
print("loss:", keras_losses, torch_losses)
keras_gradients = crossing.back(keras_gradients)
whole = max(float(np.linalg.norm(gradient)) for gradient in torch_gradients.values())
redundant = redundant_names(torch_side.describe(torch_run))  # such as a second bias that is added to the first
for name in [name for name in torch_gradients if name not in redundant]:
    far = float(np.linalg.norm(keras_gradients[name] - torch_gradients[name])) / whole
    print(f"{name:40} {far:.1e}")
    assert far < GRADIENT_LIMIT, f"the gradient of {name} differs: what did you change?"
"""
TRAINING = """
data = load(twin.data, twin.data_options).train
count = len(next(iter(data.values())))
rows = np.random.default_rng(0).permutation(count)[:{rows}]
data = {{name: array[rows] for name, array in data.items()}}
count = len(rows)
orders = [np.random.default_rng(epoch).permutation(count) for epoch in range({epochs})]

curves = {{}}
for name, side in {{"Keras": keras_side, "PyTorch": torch_side}}.items():
    run = side.build(twin, dict(twin.small.arguments), seed=0)
    if name == "Keras":
        same = torch_side.dump_weights(torch_side.build(twin, dict(twin.small.arguments), seed=0))
        side.load_weights(run, crossing.out(same))
    side.prepare(run, len(orders) * -(-count // twin.batch_size))
    side.fit(run, data, orders, lambda epoch, losses, name=name: curves.setdefault(name, []).append(losses))

for name, losses in curves.items():
    first = next(iter(losses[0]))
    plt.plot([each.get(first, np.nan) for each in losses], "o-" if name == "Keras" else "x--", label=name)
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.legend()
plt.show()
"""
EXERCISE = """
inputs = exercise_inputs(twin)
keras_outputs = keras_side.exercise(twin, inputs)
torch_outputs = torch_side.exercise(twin, inputs)
for name, output in torch_outputs.items():
    far = float(np.max(np.abs(keras_outputs[name].astype(float) - output.astype(float)), initial=0.0))
    print(f"{name}: shape {output.shape}, at most {far:.1e} apart")
    # Float32 on both sides, and room for long sums; `twin check` measures against rounding.
    assert np.allclose(keras_outputs[name], output, rtol=1e-3, atol=1e-3), f"{name} differs: what did you change?"
"""


def make(twin: Twin, repository: str = "") -> dict[str, Any]:
    """The notebook.

    Args:
        twin: any of the catalogue's.
        repository: what pip installs the suite from where it is not there, as on Colab: an address that ends in .git.
    """
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = []
    for number, (kind, text) in enumerate(_cells(twin, repository)):
        cell = (nbformat.v4.new_markdown_cell if kind == "words" else nbformat.v4.new_code_cell)(text.strip())
        cell["id"] = f"cell-{number}"  # nbformat draws one, and the same twin would never give the same file
        cells.append(cell)
    book = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.validate(book)
    return book


def text(twin: Twin, repository: str = "") -> str:
    """The file's content."""
    return nbformat.writes(make(twin, repository)) + "\n"


def _cells(twin: Twin, repository: str) -> Iterator[tuple[str, str]]:
    """'words' or 'code', and what it says."""
    yield "words", f"# {twin.title}\n\n{_idea(twin)}\n\n{twin.paper}"
    if repository:
        yield "code", f'%pip install -q "twin-suite[keras-torch] @ git+{repository}"'
    yield "code", SETUP.format(name=twin.name)
    for side in SIDES:
        name = FRAMEWORKS[side]
        yield "words", f"## {name}\n\nThis is the twin's file. Change it, and run this cell and those below it again."
        file = f"{side}_{twin.name}.py"
        yield "code", f"%%writefile {file}\n{_code(side, twin).strip()}\n"
        built = BUILT.format(side=side, model=twin.model, count=COUNTS[side]) if twin.kind == "model" else ""
        yield "code", f'use({side}_side, "{file}")\n{built.lstrip()}'
    if twin.kind == "exercise":
        yield "words", "## The same on both sides\n\nThe inputs are the same; the results too, up to rounding."
        yield "code", EXERCISE
    else:
        yield "words", "## The same weights\n\nPyTorch draws them. Kernels are transposed on their way to Keras."
        yield "code", SAME_WEIGHTS
        yield "words", "## The same outputs\n\nOne batch, inference mode."
        yield "code", OUTPUTS
        yield "words", "## The same gradients\n\nHow far apart each is, as a share of the largest gradient."
        yield "code", GRADIENTS.replace("GRADIENT_LIMIT", str(OF_ITS_OWN.get(twin.name, GRADIENT_LIMIT)))
        yield (
            "words",
            f"## A short training\n\n{EPOCHS} epochs on at most {ROWS} rows, in one order.",
        )
        yield "code", TRAINING.format(epochs=EPOCHS, rows=ROWS)
    yield "words", _try(twin)


def _idea(twin: Twin) -> str:
    words = ast.get_docstring(ast.parse(source("keras", twin))) or ""
    return "\n\n".join([*(" ".join(each.split()) for each in words.split("\n\n")), *prose.paragraphs(twin.name)])


def _code(side: str, twin: Twin) -> str:
    """The file without the words above it."""
    content = source(side, twin)
    first = ast.parse(content).body[0]
    return textwrap.dedent("\n".join(content.splitlines()[(first.end_lineno or 0) :]))


def _try(twin: Twin) -> str:
    change = "Change one line of PyTorch's file, and run its cell and those below it. Which results differ?"
    if twin.kind == "model":
        change = (
            "Change one number in PyTorch's file, and run its cell and those below it. What is the first thing that "
            "differs: the parameters, the outputs, or only the gradients?"
        )
    return (
        "## Exercises\n\n"
        f"1. {change} Write down what you expect before you run it.\n"
        f"2. Close this notebook and write the PyTorch side yourself: `twin port {twin.name} --to torch`, then "
        f"`twin port {twin.name} --check`."
    )
