"""What is said of a learner's lines beside the verdict."""

import ast

import pytest

from compare.check.ladder import broken
from compare.port import advice, skeleton
from compare.port.phrases import in_words
from compare.worker import stand_in
from twin.catalogue import find
from twin.paths import source

OWN = """
def forward(self, x):
    x = torch.relu(self.dense1(x))
    return self.dense2(x)
"""


def notes(mine, side="torch", own=OWN, message=""):
    functions = [ast.parse(text.strip()).body[0] for text in (own, mine)]
    return advice.notes(*functions, side, message)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("return self", "self"), "forward returns nothing: its last line needs `return`"),
        (("self.dense1(x)", "torch.sum(x, axis=1)"), "line 2: axis= is Keras's word; PyTorch says dim"),
        (("self.dense1(x)", "nn.Linear(4, units=3)(x)"), "line 2: units= is Keras's word; PyTorch says out_features"),
        (
            ("self.dense1(x)", "F.max_pool2d(x, pool_size=2)"),
            "line 2: pool_size= is Keras's word; PyTorch says kernel_size",
        ),
        (("self.dense1(x)", "nn.Linear(4, 3, activation='relu')(x)"), "line 2: PyTorch's layers take no activation"),
        (("self.dense1(x)", "x.permute(0, 3, 1, 2)"), "line 2 moves axes, and the twin moves none"),
    ],
)
def test_a_usual_mistake_is_said_as_such(change, says):
    (note,) = notes(OWN.replace(*change))
    assert note.startswith(says)


def test_the_words_of_pytorch_are_named_in_keras():
    own = OWN.replace("forward", "call").replace("torch.", "keras.ops.")
    (note,) = notes(own.replace("self.dense1(x)", "keras.ops.sum(x, dim=1)"), "keras", own)
    assert note == "line 2: dim= is PyTorch's word; Keras says axis"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            "line 9: RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x400 and 120x84)",
            "a dense layer takes 120 numbers and got 400: count what the line before it leaves",
        ),
        (
            "in blocks.0.dense1: RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x400 and 120x84)",
            "blocks.0.dense1 takes 120 numbers and got 400: count what the line before it leaves",
        ),
        (
            "line 37: AttributeError: module 'torch.nn' has no attribute 'Dense'",
            "torch.nn has no Dense; what PyTorch calls it: twin glossary Dense",
        ),
        (
            "Given groups=1, weight of size [6, 3, 5, 5], expected input[2, 1, 32, 32] to have 3 channels, but got 1 "
            "channels instead",
            "a convolution takes 3 channels and got 1: look at the layer before it and the order of axes",
        ),
        (
            "Input 0 of layer 'dense' is incompatible with the layer: expected axis -1 of input shape to have "
            "value 64, but received input with shape (2, 63)",
            "a dense layer was made for 64 numbers and got the shape (2, 63)",
        ),
    ],
)
def test_a_complaint_about_shapes_says_what_the_layer_got(message, says):
    assert notes(OWN, message=message) == (says,)


def test_a_recurrent_layer_that_takes_time_first_is_named():
    own = "def __init__(self, width):\n    self.lstm = nn.LSTM(3, width, batch_first=True)"
    assert notes(own.replace(", batch_first=True", ""), own=own) == (
        "line 2: without batch_first=True, PyTorch's LSTM takes the first axis for time",
    )
    assert notes(own, own=own) == ()


MODEL = """
class Dense:
    def __call__(self, x):
        return x @ x

class Block:
    def __init__(self):
        self.dense = Dense()
    def __call__(self, x):
        return self.dense(x)

class Model:
    def __init__(self):
        self.blocks = [Block(), Block()]
    def __call__(self, x):
        return self.blocks[1](x)
"""


def test_the_layer_whose_call_did_not_come_to_its_end_is_named():
    made = {}
    exec(compile(MODEL, stand_in.FILE, "exec"), made)
    with pytest.raises(TypeError) as error:
        made["Model"]()(1)
    assert stand_in.place_of(error.value)["layer"] == "blocks.1.dense"
    with pytest.raises(TypeError) as error:
        made["Model"](1)
    assert stand_in.place_of(error.value)["layer"] == ""


@pytest.mark.parametrize("side", ["keras", "torch"])
def test_the_twins_own_methods_get_no_advice(twin, side):
    for name, method in skeleton.units(ast.parse(source(side, find(twin.name)))).items():
        assert advice.notes(method, method, side) == (), name


def test_outputs_of_other_names_and_shapes_are_said_as_a_learner_can_read_them():
    rung = broken(
        "forward",
        "outputs of other names or shapes: a is missing, b is not in the reference, c is (2, 3, 4), "
        "the reference (2, 4, 3); layouts are declared in the catalogue",
    )
    assert in_words(rung, find("pooling")) == (
        "outputs of other names or shapes: a is missing, b is one that the twin does not return, c is (2, 3, 4), "
        "expected (2, 4, 3); shapes as the data has them, channels last"
    )
