"""How a call is written, in the framework that makes it and in the other."""

from collections.abc import Sequence
from typing import Any

from twin.bridge import Leaf
from twin.trace import Event


def kind_of(event: Event) -> str:
    return event.family if event.family != "op" else str(event.settings["name"])


def written(event: Event) -> str:
    if event.text:
        return event.text
    return str(event.settings.get("name", event.call))


def place(event: Event) -> str:
    return f" ({event.where})" if event.where else ""


def in_torch(event: Event) -> str:
    """Keras's call as one writes it in PyTorch."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        options = {
            "gelu": lambda: f", approximate={'tanh' if settings.get('approximate') else 'none'!r}",
            "leaky_relu": lambda: f", {settings.get('slope')}",
            "elu": lambda: f", alpha={settings.get('alpha')}",
            "softmax": lambda: f", dim={settings.get('axis')}",
            "log_softmax": lambda: f", dim={settings.get('axis')}",
        }
        return f"torch.nn.functional.{name}(x{options.get(name, lambda: '')()})"
    if event.family == "pool":
        kind = "max" if settings["kind"] == "max" else "avg"
        window, strides = tuple(settings["window"]), tuple(settings["strides"])
        return f"torch.nn.functional.{kind}_pool{len(window)}d(x, {window}, {strides})"
    if event.family == "dropout":
        return f"torch.nn.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"torch.nn.functional.interpolate(x, mode={settings['mode']!r})"
    return {"add": "x + y", "multiply": "x * y", "subtract": "x - y", "concatenate": "torch.cat"}.get(
        name, f"torch.{name}"
    )


def in_keras(event: Event) -> str:
    """PyTorch's call as one writes it in Keras."""
    settings = event.settings
    name = str(settings.get("name", ""))
    if event.family == "activation":
        options = {
            "gelu": lambda: f", approximate={bool(settings.get('approximate'))}",
            "leaky_relu": lambda: f", negative_slope={settings.get('slope')}",
            "elu": lambda: f", alpha={settings.get('alpha')}",
            "softmax": lambda: f", axis={settings.get('axis')}",
        }
        return f"keras.ops.{name}(x{options.get(name, lambda: '')()})"
    if event.family == "pool":
        kind = "MaxPooling" if settings["kind"] == "max" else "AveragePooling"
        window, strides = tuple(settings["window"]), tuple(settings["strides"])
        return f"keras.layers.{kind}{len(window)}D({window}, strides={strides})"
    if event.family == "dropout":
        return f"keras.layers.Dropout({settings['rate']:g})"
    if event.family == "resize":
        return f"interpolation={settings['mode']!r}"
    return f"keras.ops.{name}" if name else event.call


def sizes(leaf: Leaf) -> str:
    """The first arguments of a PyTorch layer's constructor, as far as its weights tell them."""
    if leaf.kind.startswith("BatchNorm") and "weight" in leaf.shapes:
        return f"{leaf.shapes['weight'][0]}, "
    if leaf.kind == "LayerNorm" and "weight" in leaf.shapes:
        shape = leaf.shapes["weight"]
        return f"{shape[0] if len(shape) == 1 else tuple(shape)}, "
    return "..., "


def short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def tuples(pads: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(axis) for axis in pads)
