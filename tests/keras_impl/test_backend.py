"""The files of Keras's backends have the same functions, and nothing else of keras_impl asks which backend runs."""

import ast
import json
import re

import pytest

from compare.engines.engine import ENGINES
from tests.helpers import aside
from twin.paths import ROOT

FOLDER = ROOT / "keras_impl" / "backend"
EACH = sorted({engine.backend for engine in ENGINES.values()} - {""})
ASKS = re.compile(r"\bBACKEND\b|\bbackend\(\)|\bimport (tensorflow|jax|torch)\b|\bfrom (tensorflow|jax|torch)\b")
# What shows a reader how the backends differ, and a message that names the one that runs.
SHOWS = ("models/", "exercises/", "differences/", "glossary.py", "backend/")
NAMES_IT = 'raise TwinError(f"--device {device}: Keras on {backend.BACKEND} sees no GPU here; use --device cpu")'


def outline(text: str) -> list[tuple]:
    """A file's functions with their arguments, in order, and the public methods of its classes."""
    found: list[tuple] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.append((node.name, ast.unparse(node.args)))
        elif isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            public = [m for m in methods if not m.name.startswith("_") or m.name in ("__init__", "__call__")]
            found += [(node.name, m.name, ast.unparse(m.args)) for m in public]
    return found


@pytest.mark.parametrize("backend", EACH[1:])
def test_every_backend_has_the_same_functions_in_the_same_order(backend):
    first, other = (outline((FOLDER / f"{name}.py").read_text()) for name in (EACH[0], backend))
    assert first == other


def test_the_protocol_has_them_all_in_that_order():
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    (protocol,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Backend")
    declared = [node.name for node in protocol.body if isinstance(node, ast.FunctionDef)]
    exported = [
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("chosen.")
    ]
    assert declared == exported == list(dict.fromkeys(name for name, *_ in outline((FOLDER / "jax.py").read_text())))


def test_no_other_file_asks_which_backend_runs():
    asking = {}
    for path in (ROOT / "keras_impl").rglob("*.py"):
        name = str(path.relative_to(ROOT / "keras_impl"))
        if not name.startswith(SHOWS):
            asking[name] = [line.strip() for line in path.read_text().splitlines() if ASKS.search(line)]
    assert {name: lines for name, lines in asking.items() if lines} == {"train.py": [NAMES_IT]}


def test_the_outline_sees_another_argument_and_a_missing_function():
    text = (FOLDER / "torch.py").read_text()
    assert outline(text.replace("def wait_for(result)", "def wait_for(results)")) != outline(text)
    assert outline(text.replace("def device_memory(", "def _device_memory(")) != outline(text)


@pytest.mark.framework
def test_on_pytorch_an_answer_leaves_no_graph_behind_and_gradients_have_theirs():
    import keras

    if keras.backend.backend() != "torch":
        pytest.skip("another backend runs in this process")
    from keras_impl.backend import torch as backend

    weight = keras.Variable([1.0, 2.0])
    square = lambda batch: keras.ops.sum(weight.value * batch)
    assert not backend.once(square, [weight], keras.ops.ones(2)).requires_grad
    _, (gradient,) = backend.once(
        lambda batch: backend.value_and_gradients(lambda: square(batch), [weight]), [weight], keras.ops.ones(2)
    )
    assert gradient.tolist() == [1, 1]


DRAWS = """
import json, keras, jax, numpy as np
from keras_impl.backend import jax as backend

def noisy(x):
    return x + keras.random.normal(keras.ops.shape(x), seed=keras.random.SeedGenerator(0))

def drawn():
    kinds = ["RandomNormal", "RandomUniform", "TruncatedNormal", "GlorotUniform", "HeNormal", "Orthogonal"]
    values = {kind: np.asarray(getattr(keras.initializers, kind)(seed=7)((300, 200))) for kind in kinds}
    again = np.asarray(keras.initializers.HeNormal(seed=7)((300, 200)))
    assert (again == values["HeNormal"]).all()
    assert (np.asarray(keras.initializers.HeNormal(seed=8)((300, 200))) != again).any()
    return {kind: [str(a.dtype), *map(float, (a.mean(), a.std(), a.min(), a.max()))] for kind, a in values.items()}

own = jax.random.normal
with backend.drawing():
    ours = drawn()
    model = keras.Sequential([keras.layers.Lambda(noisy)])
    assert model(keras.Input((3,))).shape == (None, 3)
    assert jax.random.normal is not own
assert jax.random.normal is own
print(json.dumps([ours, drawn()]))
"""


@pytest.mark.framework
def test_initial_weights_on_jax_are_distributed_as_keras_draws_them():
    ours, its = json.loads(aside.run("keras-jax", "-c", DRAWS).splitlines()[-1])
    for kind, (dtype, *moments) in its.items():
        assert ours[kind][0] == dtype
        spread = moments[1]  # 60,000 numbers: their mean has an error of 0.4% of it, their spread one of 0.3%
        assert ours[kind][1:3] == pytest.approx(moments[:2], abs=0.03 * spread), kind
        if kind in ("RandomUniform", "TruncatedNormal", "GlorotUniform", "HeNormal"):  # which have bounds
            assert ours[kind][3:] == pytest.approx(moments[2:], rel=0.01), kind


MADE = """
import jax, keras
from keras_impl.backend import jax as backend

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
)

def made(width):
    parts = [keras.Input((width, width, 3)), keras.layers.Conv2D(width, 3), keras.layers.BatchNormalization()]
    model = keras.Sequential([*parts, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(width)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    constant = keras.ops.convert_to_numpy(model.layers[1].gamma.value), optimizer.variables[-1].numpy()
    assert [(set(each.flat), each.dtype) for each in constant] == [({1.0}, "float32"), ({0.0}, "float32")]
    return len(compiled)

with backend.drawing():
    first = made(5)
    print(made(6) - first, made(7) - first)
print(made(8) - first)
"""


@pytest.mark.framework
def test_a_model_of_other_shapes_is_made_on_jax_without_another_program():
    inside, outside = aside.run("keras-jax", "-c", MADE).splitlines()[-2:]
    assert inside == "0 0"
    assert int(outside) > 0, "what is counted would not be seen"


SEEDED = """
import keras
import numpy as np
from keras_impl import train
from twin.catalogue import find

twin, rows = find("pretraining"), np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
found = []
for seed in (0, 0, 1):
    run = train.build(twin, dict(twin.small.arguments), seed=seed)
    dropped = run.model.features.blocks[0].dropout(keras.ops.ones((8, 64)), training=True)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(rows, rows[:, :1] ** 2, batch_size=4, shuffle=True, verbose=0)
    found.append((keras.ops.convert_to_numpy(dropped), model.get_weights()[0]))
for first, same, other in zip(*found):
    assert (first == same).all()
    assert (first != other).any()
"""


@pytest.mark.framework
@pytest.mark.parametrize("engine", aside.KERAS)
def test_a_seed_decides_what_dropout_drops_and_the_order_in_which_fit_takes_rows(engine):
    aside.run(engine, "-c", SEEDED)
