"""Which layer of a Keras model is which of a PyTorch model: by name, then by type, shape, order and data flow."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin.bridge import RULES, Leaf
from twin.errors import TwinError
from twin.trace import Event, Trace


class Unpaired(TwinError):
    """Some layers have no partner."""


def pair(
    keras: Sequence[Leaf], torch: Sequence[Leaf], traces: tuple[Trace, Trace], given: Mapping[str, str]
) -> dict[str, str]:
    """The partner of each Keras layer: path -> path.

    Args:
        keras: the layers that own weights.
        torch: the same of the other side.
        traces: both models' calls, for the order of execution and the flow of data.
        given: pairs that the user names.

    Raises:
        Unpaired: with every layer left over, and the option to paste that would pair it.
    """
    mine, theirs = ({leaf.path: leaf for leaf in side} for side in (keras, torch))
    for name, path in given.items():
        for side, leaves, at in (("Keras", mine, name), ("PyTorch", theirs, path)):
            if at not in leaves:
                raise Unpaired(f"--map {name}={path}: the {side} model has no layer {at!r} with weights")
    pairs = dict(given)
    named = {_plain(path): path for path in theirs if path not in pairs.values()}
    for path, leaf in mine.items():
        other = named.get(_plain(path))
        if path not in pairs and other is not None and _fit(leaf, theirs[other]) > 0:
            pairs[path] = other
    left = [_in_order(side, trace) for side, trace in zip((mine, theirs), traces, strict=True)]
    left[0] = [path for path in left[0] if path not in pairs]
    left[1] = [path for path in left[1] if path not in pairs.values()]
    roles = [{path: _role(trace, path) for path in paths} for trace, paths in zip(traces, left, strict=True)]
    if left[0] and left[1]:
        scores = np.array(
            [
                [
                    _fit(mine[a], theirs[b])
                    and _fit(mine[a], theirs[b])
                    + (roles[0][a] == roles[1][b])
                    - 0.5 * abs(i / len(left[0]) - j / len(left[1]))
                    for j, b in enumerate(left[1])
                ]
                for i, a in enumerate(left[0])
            ]
        )
        rows, columns = linear_sum_assignment(scores, maximize=True)
        pairs |= {left[0][i]: left[1][j] for i, j in zip(rows, columns, strict=True) if scores[i, j] > 0}
    alone = [path for path in mine if path not in pairs], [p for p in theirs if p not in pairs.values()]
    if any(alone):
        told = "; ".join(
            f"only in {side}: " + ", ".join(f"{path} ({leaves[path].kind})" for path in paths)
            for side, leaves, paths in (("Keras", mine, alone[0]), ("PyTorch", theirs, alone[1]))
            if paths
        )
        paste = " ".join(f"--map {a}={b}" for a, b in zip(*alone, strict=False))
        hint = f"if these belong together, add {paste}" if paste else "one model has more layers than the other"
        raise Unpaired(f"the models' layers do not pair up; {told}; {hint}")
    return {path: pairs[path] for path in _in_order(mine, traces[0])}


def _fit(keras: Leaf, torch: Leaf) -> float:
    """4 where the arrays fit, 1 where only the types do, 0 where no rule carries the one to the other."""
    rule = RULES.get((keras.kind, torch.kind))
    if rule is None:
        return 0.0
    try:
        carried = rule.to_torch({name: np.empty(shape) for name, shape in keras.shapes.items()}, keras)
    except (TwinError, ValueError, KeyError):
        return 1.0
    return 4.0 if {name: array.shape for name, array in carried.items()} == dict(torch.shapes) else 1.0


def _plain(path: str) -> str:
    return path.lower().replace("_", "")


def _in_order(leaves: Mapping[str, Leaf], trace: Trace) -> list[str]:
    """The layers in the order in which they are first used; those that are not used come last."""
    used = dict.fromkeys(event.leaf for event in trace.events if event.leaf in leaves)
    return [*used, *(path for path in leaves if path not in used)]


def _role(trace: Trace, path: str) -> tuple[str, ...]:
    """What comes before the layer, and what its output goes into, at which place."""
    event = next((e for e in trace.events if e.leaf == path), None)
    if event is None:
        return ()
    before = [trace.producers[i].family for i in event.inputs if i in trace.producers]
    found: list[str] = [",".join(before)]
    value = event.outputs[0]
    for _ in range(8):
        consumer = next((e for e in trace.events if value in e.inputs and e.index > event.index), None)
        if consumer is None:
            break
        if consumer.family != "shape":
            found.append(f"{_word(consumer)}:{consumer.inputs.index(value)}")
            if len(found) == 3:
                break
        value = consumer.outputs[0]
    return tuple(found)


def _word(event: Event) -> str:
    return str(event.settings.get("name", event.family))
