"""A trace follows a layer's own code where it compares values, or has one of NumPy's arrays on the left."""

import json

import pytest

from tests.helpers import aside

CODE = """
import json
import keras, numpy as np
from keras import ops
from keras_impl.tracing import Subject

WAYS = {
    "equal": lambda x: ops.cast(x == 0, "float32") * 3.0,
    "not equal": lambda x: ops.cast(x != 0, "float32") * 3.0,
    "a tensor on the left": lambda x: ops.cast(ops.arange(4, dtype="float32") == ops.floor(x), "float32") - x,
    "two values": lambda x: ops.where(x == ops.maximum(x, 0.0), x, 2 * x),
    "NumPy's sum": lambda x: np.arange(4, dtype="float32") + x,
    "NumPy's difference": lambda x: np.float32(2) - x,
    "NumPy's product": lambda x: np.arange(4, dtype="float32") * x,
    "NumPy's matrix": lambda x: np.eye(3, dtype="float32") @ x,
    "NumPy's comparison": lambda x: ops.cast(np.arange(4) == x, "float32"),
    "no value": lambda x: x if x != None else 0 * x,
}
X = np.array([[0.0, 1.0, 2.5, -3.0], [0.0, 0.0, 1.0, 3.0], [-1.0, 0.0, 0.5, 3.5]], "float32")


class Stateful(keras.layers.Layer):
    # It assigns its state in the pass and then reads it: by an operator, or by a function, which takes it as it was.
    def __init__(self, way):
        super().__init__()
        self.way = way
        self.head = keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")
        self.state = self.add_weight(shape=(4,), initializer="ones", trainable=False)

    def call(self, x):
        x = self.head(x)
        self.state.assign(0.1 * ops.mean(x, 0) + 0.9 * self.state)  # the symbol on the left, as JAX wants it
        return x / (self.state + 0.5) if self.way == "operator" else x * ops.exp(self.state)


class Own(keras.layers.Layer):
    def __init__(self, way):
        super().__init__()
        self.way = way
        self.head = keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")

    def call(self, x):
        return WAYS[self.way](self.head(x))


found = {}
# NumPy leaves what it has on the left to the tensors of JAX and TensorFlow, whose own tensors leave nothing to symbols.
other = "NumPy" if keras.backend.backend() == "torch" else "a tensor on the left"
WAYS = {way: code for way, code in WAYS.items() if other not in way}
for way in WAYS:
    layer = Own(way)
    layer(X)
    subject = Subject(layer, [X])
    trace = subject.trace([X])
    own = subject.outputs([X], False)["y"]
    value = trace.values.get(trace.outputs.get("y"))
    inside = any(event.call == "keras.layers.Dense" for event in trace.events)
    found[way] = trace.stopped or bool(inside and value is not None and np.allclose(value, own))
for way in ("operator", "function"):
    layer = Stateful(way)
    layer(X)
    subject = Subject(layer, [X])
    trace = subject.trace([X], training=True)
    own = subject.outputs([X], True)["y"]
    same = not trace.stopped and np.allclose(trace.values[trace.outputs["y"]], own)
    found[way] = same and not any("tateful" in event.call for event in trace.events) if way == "operator" else (
        "in the same pass" in trace.stopped
    )
    found[way + " leaves the state"] = bool(np.all(keras.ops.convert_to_numpy(layer.state) == subject.dump()["state"]))
print(json.dumps(found))
"""


@pytest.mark.framework
@pytest.mark.parametrize("engine", aside.KERAS)
def test_a_trace_follows_the_layer_and_computes_what_it_computes(engine):
    found = json.loads(aside.run(engine, "-c", CODE).splitlines()[-1])
    assert {way: told for way, told in found.items() if told is not True} == {}
