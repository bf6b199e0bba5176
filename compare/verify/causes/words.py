"""How a call is written, in the framework that makes it and in the other; what is printed as a fix is run before."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from twin.trace import Event

TORCH_NAMES = {
    "hard_sigmoid": "hardsigmoid", "hard_silu": "hardswish", "hard_swish": "hardswish", "log_sigmoid": "logsigmoid",
    "hard_tanh": "hardtanh", "swish": "silu", "soft_plus": "softplus",
}  # fmt: skip
KERAS_NAMES = {
    "hardsigmoid": "hard_sigmoid", "hardswish": "hard_silu", "logsigmoid": "log_sigmoid", "hardtanh": "hard_tanh",
}  # fmt: skip
TWO = {"add": "x + y", "multiply": "x * y", "subtract": "x - y", "divide": "x / y", "maximum": "{0}.maximum(x, y)"}
TO_TORCH = {
    "max": "amax", "min": "amin", "absolute": "abs", "power": "pow", "clip": "clamp", "concatenate": "cat",
    "log1p": "log1p", "normalize": "nn.functional.normalize",
}  # fmt: skip

DOES = {
    "add": "adds", "subtract": "subtracts", "multiply": "multiplies", "divide": "divides",
    "matmul": "multiplies matrices", "sum": "adds up", "mean": "takes the mean", "max": "takes the maximum",
    "min": "takes the minimum", "maximum": "takes the greater of two values",
    "minimum": "takes the smaller of two values", "dropout": "drops values", "softmax": "takes the softmax",
    "square": "squares", "sqrt": "takes the square root", "exp": "takes the exponential",
    "log": "takes the logarithm", "abs": "takes the absolute value", "negative": "turns the sign",
    "reciprocal": "takes the reciprocal", "power": "raises to a power", "clip": "clips", "where": "chooses by a mask",
    "concatenate": "concatenates", "getitem": "takes a part", "take": "takes rows by number", "pad": "pads",
    "cumsum": "adds up step by step", "var": "takes the variance", "std": "takes the standard deviation",
}  # fmt: skip  # what a call does, where its name is no word of a sentence


def does(kind: str) -> str:
    """What a call does, as the verb of a sentence: takes the mean."""
    return DOES.get(kind, f"computes {kind}")


def kind_of(event: Event) -> str:
    return event.family if event.family != "op" else str(event.settings["name"])


def name_of(event: Event) -> str:
    """The function's own name: `softmax` of `torch.nn.functional.softmax`."""
    return event.call.rsplit(".", 1)[-1]


def assigned(expressions: Mapping[str, str]) -> str:
    """Arguments and the code of each: `dim=0, keepdim=True`."""
    return ", ".join(f"{word}={code}" for word, code in expressions.items())


def written(event: Event) -> str:
    if event.text:
        return event.text
    return str(event.settings.get("name", event.call))


def acts(event: Event) -> str:
    """What a call does, as a verb: with its arguments where it has some."""
    text = written(event)
    return does(kind_of(event)) if event.family == "op" and text.endswith("()") else f"computes {text}"


def place(event: Event) -> str:
    return f" ({event.where})" if event.where else ""


def in_torch(event: Event) -> str:
    """Keras's call as one writes it in PyTorch, of x, and of y where there are two."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        name = TORCH_NAMES.get(name, name)
        words = {
            "gelu": f", approximate={'tanh' if settings.get('approximate') else 'none'!r}",
            "leaky_relu": f", {settings.get('slope')}",
            "elu": f", alpha={settings.get('alpha')}",
            "softmax": f", dim={settings.get('axis')}",
            "log_softmax": f", dim={settings.get('axis')}",
        }
        return f"torch.nn.functional.{name}(x{words.get(name, '')})"
    if event.family == "pool":
        return _pool_in_torch(settings)
    if event.family == "dropout":
        return f"torch.nn.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"torch.nn.functional.interpolate(x, size=y.shape[2:], mode={settings['mode']!r})"
    if name in TWO:
        return TWO[name].format("torch")
    axis = argument(event.text, "axis")
    more = f", dim={axis}" if axis is not None else ""
    more += ", correction=0" if name in ("std", "var") else ""
    return f"torch.{TO_TORCH.get(name, name)}(x{more})"


def _pool_in_torch(settings: Any) -> str:
    kind = "max" if settings["kind"] == "max" else "avg"
    window, strides, pads = tuple(settings["window"]), tuple(settings["strides"]), settings["pads"]
    source, more = "x", ""
    if all(before == after for before, after in pads):
        if any(before for before, _ in pads):
            more = f", padding={tuple(before for before, _ in pads)}"
            more += "" if kind == "max" else ", count_include_pad=False"
    elif kind == "max":
        order = [side for axis in reversed(pads) for side in axis]
        source = f"torch.nn.functional.pad(x, {tuple(order)}, value=float('-inf'))"
    return f"torch.nn.functional.{kind}_pool{len(window)}d({source}, {window}, {strides}{more})"


def in_keras(event: Event) -> str:
    """PyTorch's call as one writes it in Keras, of x, and of y where there are two."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        name = KERAS_NAMES.get(name, name)
        words = {
            "gelu": f", approximate={bool(settings.get('approximate'))}",
            "leaky_relu": f", negative_slope={settings.get('slope')}",
            "elu": f", alpha={settings.get('alpha')}",
            "softmax": f", axis={settings.get('axis')}",
            "log_softmax": f", axis={settings.get('axis')}",
        }
        return f"keras.ops.{name}(x{words.get(name, '')})"
    if event.family == "pool":
        kind = "MaxPooling" if settings["kind"] == "max" else "AveragePooling"
        window, strides = tuple(settings["window"]), tuple(settings["strides"])
        return f"keras.layers.{kind}{len(window)}D({window}, strides={strides})"
    if event.family == "dropout":
        return f"keras.layers.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"keras.ops.image.resize(x, y.shape[1:3], interpolation={settings['mode']!r})"
    if name in TWO:
        return TWO[name].format("keras.ops")
    axis = argument(event.text, "dim")
    more = f", axis={axis}" if axis is not None else ""
    return f"keras.ops.{'normalize' if name == 'normalize' else name}(x{more})"


def changed(framework: str, event: Event, **arguments: Any) -> str:
    """A call as it is written with other arguments, as code; "" where its text is no code.

    Args:
        framework: `keras` or `torch`.
        event: a layer, or a function of x.
        arguments: the others.
    """
    try:
        call = ast.parse(event.text, mode="eval").body
    except SyntaxError:
        return ""
    if not isinstance(call, ast.Call):
        return ""
    for name, value in arguments.items():
        call.keywords = [word for word in call.keywords if word.arg != name]
        call.keywords.append(ast.keyword(name, ast.parse(_short(value), mode="eval").body))
    name = ast.unparse(call.func)
    if name[:1].isupper() and (framework == "torch" or "layers" in event.call):
        call.func = ast.parse(f"torch.nn.{name}" if framework == "torch" else f"keras.layers.{name}", mode="eval").body
        return ast.unparse(call)
    if framework == "keras":  # an operation is printed by its class
        name = f"keras.ops.{event.settings.get('name', '')}"
    else:
        name = event.call if event.call.startswith("torch.") else f"torch.{name}"
    call.func = ast.parse(name, mode="eval").body
    call.args.insert(0, ast.Name("x"))
    call.keywords = [word for word in call.keywords if word.arg not in ("input", "inplace", "_stacklevel", "dtype")]
    return ast.unparse(call)


def argument(text: str, name: str) -> str | None:
    """An argument of a call as it is written; None where it is not."""
    try:
        call = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    words = call.keywords if isinstance(call, ast.Call) else []
    return next((ast.unparse(word.value) for word in words if word.arg == name), None)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def tuples(pads: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(axis) for axis in pads)
