"""What is wrong with a learner's file, in a line for somebody who does not know the ladder."""

import re

from compare.check.ladder import Rung
from twin.bridge import Leaf
from twin.spec import Twin


def in_words(rung: Rung, twin: Twin) -> str:
    """A failed rung for somebody who does not know the ladder."""
    message = rung.message.split(". Next: ")[0]
    shapes = re.findall(r"\(\d+, \d+, \d[^)]*\)", message)
    axes = "; shapes as the data has them, channels last" if shapes else ""
    message = message.replace("; layouts are declared in the catalogue", axes)
    far = rung.worst
    apart = f" (relative L2 {far.rel_l2:.1e})" if far else ""
    if twin.kind == "exercise":
        names = [each.name for each in rung.distances if not each.ok]
        if not names:
            return _expected(message)
        return f"{len(names)} of {len(rung.distances)} outputs differ{apart}: {', '.join(names)}"
    if rung.rung == "forward" and far:
        where, _, _ = message.partition(f". {far.name}")
        return f"the output differs{apart}; {where}"
    if rung.rung == "forward":
        return _expected(message)
    if rung.rung == "gradients" and far:
        what = far.name if far.name.startswith("loss") else f"the gradient of {far.name}"
        return f"the outputs agree, {what} does not{apart}"
    if rung.rung == "optimizer" and far:
        return f"outputs and gradients agree, a training step does not: {far.name}{apart}"
    if rung.rung == "trajectory" and far:
        return f"outputs, gradients and single steps agree, the loss over many steps does not: {far.name}{apart}"
    return message


def _expected(message: str) -> str:
    """The same of a file that is to be like the twin's."""
    return message.replace("is not in the reference", "is one that the twin does not return").replace(
        "the reference", "expected"
    )


def first_wrong_layer(learners: list[Leaf], own: list[Leaf], side: str) -> str:
    """The first layer that is missing, left over, of another kind or of another shape; "" if none is.

    Args:
        learners: the layers with weights of the learner's model.
        own: those of the twin's.
        side: 'keras' or 'torch'.
    """
    found, expected = ({leaf.path: leaf for leaf in leaves} for leaves in (learners, own))
    if side == "keras" and not found and expected:
        return "the model has no weights yet: Keras makes them when it first sees a shape, self(keras.Input(...))"
    for path, wanted in expected.items():
        if path not in found:
            return f"{path}, a {wanted.kind} with weights, is missing"
        if found[path].kind != wanted.kind:
            return f"{path} is a {found[path].kind}; expected a {wanted.kind}"
        for name in dict.fromkeys([*wanted.shapes, *found[path].shapes]):
            got, right = found[path].shapes.get(name), wanted.shapes.get(name)
            if got != right:
                full = wanted.full(name)
                if got is None or right is None:
                    return f"{full} is missing" if got is None else f"{full} is left over"
                return f"{full} has shape {got}; expected {right}"
    extra = [path for path in found if path not in expected]
    return f"{extra[0]}, a {found[extra[0]].kind} with weights, is left over" if extra else ""
