"""What a learner's method most likely has wrong, read from its lines and from the framework's own complaint.

A note says nothing about right or wrong: that is the ladder's. It is added where a method differs or raises.
"""

import ast
import re
from collections.abc import Iterator

from compare.engines.engine import FRAMEWORKS
from compare.port import skeleton
from compare.port.folder import other

# Keras's word for an argument -> PyTorch's.
ARGUMENTS = {
    "axis": "dim",
    "dilation_rate": "dilation",
    "epsilon": "eps",
    "filters": "out_channels",
    "keepdims": "keepdim",
    "kernel_initializer": "torch.nn.init on the weight",
    "learning_rate": "lr",
    "pool_size": "kernel_size, of pooling too",
    "rate": "p",
    "return_sequences": "the first of its two outputs",
    "strides": "stride",
    "units": "out_features",
    "use_bias": "bias",
}
FRAMEWORK_NAMES = ("F", "functional", "keras", "layers", "nn", "ops", "optimizers", "torch")
MOVES = ("permute", "transpose", "movedim", "moveaxis", "swapaxes")
LAYER = re.compile(r"^(?:line \d+: )?in ([\w.]+): ")
MULTIPLIED = re.compile(r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
CHANNELS = re.compile(r"expected input\[[\d, ]+\] to have (\d+) channels, but got (\d+) channels")
UNKNOWN = re.compile(r"module '((?:torch|keras)[\w.]*)' has no attribute '(\w+)'")
INCOMPATIBLE = re.compile(
    r"expected axis -1 of input shape to have value (\d+), but received input with shape (\(.*?\))"
)


def notes(own: ast.FunctionDef, mine: ast.FunctionDef, side: str, message: str = "") -> tuple[str, ...]:
    """What to look at first.

    Args:
        own: the twin's method; `mine` the learner's.
        side: the framework that it is written in.
        message: what is known of its failure.
    """
    return tuple(
        dict.fromkeys(
            [
                *_returns(own, mine),
                *_names(message, side),
                *_arguments(own, mine, side),
                *_time_first(own, mine),
                *_moves(own, mine),
                *_shapes(message),
            ]
        )
    )


def _returns(own: ast.FunctionDef, mine: ast.FunctionDef) -> Iterator[str]:
    def gives(node: ast.FunctionDef) -> bool:
        return any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(node))

    if gives(own) and not gives(mine):
        yield f"{mine.name} returns nothing: its last line needs `return`"


def _names(message: str, side: str) -> Iterator[str]:
    """A name that the framework has not, which is most often the other's."""
    if found := UNKNOWN.search(message):
        module, name = found.groups()
        yield f"{module} has no {name}; what {FRAMEWORKS[side]} calls it: twin glossary {name}"


def _arguments(own: ast.FunctionDef, mine: ast.FunctionDef, side: str) -> Iterator[str]:
    """Arguments of the framework's calls that have another name in it; what the twin itself writes is right."""
    known = ARGUMENTS
    if side == "keras":
        known = {torch: keras for keras, torch in ARGUMENTS.items() if torch.isidentifier()}
    right = {keyword.arg for call in skeleton.calls(own) for keyword in call.keywords}
    for call in skeleton.calls(mine):
        if ast.unparse(call.func).split(".")[0] not in FRAMEWORK_NAMES:
            continue
        for keyword in call.keywords:
            if keyword.arg in known and keyword.arg not in right:
                yield (
                    f"line {call.lineno}: {keyword.arg}= is {FRAMEWORKS[other(side)]}'s word; "
                    f"{FRAMEWORKS[side]} says {known[keyword.arg]}"
                )
            if side == "torch" and keyword.arg == "activation" and "activation" not in right:
                yield f"line {call.lineno}: PyTorch's layers take no activation; call it in forward"


def _time_first(own: ast.FunctionDef, mine: ast.FunctionDef) -> Iterator[str]:
    """A recurrent layer of PyTorch that is not told that the batch comes first."""

    def named(call: ast.Call) -> str:
        return ast.unparse(call.func).rpartition(".")[2]

    told = {named(call) for call in skeleton.calls(own) if any(each.arg == "batch_first" for each in call.keywords)}
    for call in skeleton.calls(mine):
        if named(call) in told and not any(each.arg == "batch_first" for each in call.keywords):
            yield f"line {call.lineno}: without batch_first=True, PyTorch's {named(call)} takes the first axis for time"


def _moves(own: ast.FunctionDef, mine: ast.FunctionDef) -> Iterator[str]:
    """Axes that are moved where the twin moves none."""

    def lines(node: ast.FunctionDef) -> list[int]:
        named = [(call.lineno, ast.unparse(call.func).rpartition(".")[2]) for call in skeleton.calls(node)]
        return [line for line, name in named if name in MOVES]

    if lines(mine) and not lines(own):
        yield (
            f"line {lines(mine)[0]} moves axes, and the twin moves none: the data comes in this framework's own order, "
            "channels last in Keras and second in PyTorch"
        )


def _shapes(message: str) -> Iterator[str]:
    """The framework's complaint about a shape, with the layer, what it got and what it takes."""
    named = layer.group(1) if (layer := LAYER.search(message)) else ""
    if found := MULTIPLIED.search(message):
        got, takes = found.groups()
        yield f"{named or 'a dense layer'} takes {takes} numbers and got {got}: count what the line before it leaves"
    if found := CHANNELS.search(message):
        takes, got = found.groups()
        yield (
            f"{named or 'a convolution'} takes {takes} channels and got {got}: "
            "look at the layer before it and the order of axes"
        )
    if found := INCOMPATIBLE.search(message):
        takes, shape = found.groups()
        yield f"{named or 'a dense layer'} was made for {takes} numbers and got the shape {shape}"
