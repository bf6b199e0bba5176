"""Help with a port, in steps: shapes, then calls, then arguments; and the twin's own lines."""

import ast
from collections.abc import Mapping
from pathlib import Path

from compare.engines.engine import FRAMEWORKS
from compare.port import skeleton
from compare.port.folder import Progress, digest, other, read, read_progress, save_progress
from twin.errors import TwinError, unknown
from twin.paths import source
from twin.spec import Twin

LEVELS = 3


def solution(twin: Twin, side: str, method: str) -> str:
    """The twin's own lines for one method, which may be named without its class where that is clear.

    Raises:
        TwinError: when there is no such method, or several.
    """
    own = source(side, twin)
    names = skeleton.units(ast.parse(own))
    found = [name for name in names if method in (name, name.rpartition(".")[2])]
    if not found:
        raise unknown(f"method of {twin.name} in {FRAMEWORKS[side]}", method, names)
    if len(found) > 1:
        raise TwinError(f"--solution {method}: which one? {', '.join(found)}")
    node = names[found[0]]
    assert node.end_lineno is not None
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "\n".join(own.splitlines()[first - 1 : node.end_lineno])


def next_unit(states: Mapping[str, str]) -> str:
    """The first method that differs, or else the first that is still to be written; "" when there is none."""
    for wanted in ("differs", "no answer", "empty"):
        for name, state in states.items():
            if state == wanted and name != "the whole":
                return name
    return ""


def hint(twin: Twin, side: str, unit: str, level: int) -> list[str]:
    """One step of help with a method.

    Args:
        twin, side: what is ported, and to which framework.
        unit: the method.
        level: 1 for shapes and the order of things, 2 for what is called, 3 for the arguments.
    """
    texts = {each: source(each, twin) for each in ("keras", "torch")}
    node = skeleton.units(ast.parse(texts[side]))[unit]
    own = skeleton.to_write(node)
    counterpart = skeleton.units(ast.parse(texts[other(side)])).get(_renamed(unit, other(side)))
    if level == 1:
        lines = []
        if assigned := skeleton.attributes(own):
            lines.append("assigns, in this order: " + ", ".join(f"self.{name}" for name in assigned))
        if used := [name for name in skeleton.attributes_read(own) if name not in assigned]:
            lines.append("uses: " + ", ".join(f"self.{name}" for name in used))
        body = texts[side].splitlines()[node.body[0].end_lineno : node.end_lineno]
        shapes = [line.partition("#")[2].strip() for line in body if "# (" in line]
        if shapes:
            lines.append("on the way: " + "; ".join(shapes))
        return lines or [f"{len(own.body)} statements, {len(list(skeleton.calls(own)))} calls"]
    mine = [ast.unparse(call.func) for call in skeleton.calls(own)]
    if level == 2:
        theirs = (
            [ast.unparse(call.func) for call in skeleton.calls(skeleton.to_write(counterpart))] if counterpart else []
        )
        return [
            f"{FRAMEWORKS[which]} calls: {', '.join(dict.fromkeys(names)) or 'nothing'}"
            for which, names in sorted(((side, mine), (other(side), theirs)))
        ]
    written = [ast.unparse(call) for call in skeleton.calls(own) if call.args or call.keywords]
    return list(dict.fromkeys(written)) or ["no call takes an argument"]


def give_hint(twin: Twin, path: Path, side: str) -> tuple[str, int, list[str]]:
    """The next hint: the method, the step and its lines; remembered beside the learner's file.

    Raises:
        TwinError: when nothing is left to write.
    """
    _, tree = read(path, ast.parse(source(side, twin)))
    own = skeleton.units(ast.parse(source(side, twin)))
    mine = skeleton.functions(tree)
    progress = read_progress(path.parent)
    if progress is None or (progress.twin, progress.to) != (twin.name, side):
        progress = Progress(twin.name, side, {})
    for name, state in progress.states.items():
        if state == "right" and name in mine and progress.checked.get(name, digest(mine[name])) != digest(mine[name]):
            raise TwinError(
                f"{name} was right when it was checked, and has changed since; see first what it does now: "
                f"twin port {twin.name} --check {path.parent}"
            )
    # A method that was written since the last check is no longer empty, and not yet known.
    states = {name: "empty" if skeleton.is_empty(mine[name]) else progress.states.get(name, "") for name in own}
    unit = next_unit(states)
    if not unit:
        raise TwinError(
            f"{path}: nothing is left to write; `twin port {twin.name} --check {path.parent}` says if it is right"
        )
    level = progress.hints.get(unit, 0) + 1
    lines = hint(twin, side, unit, min(level, LEVELS))
    progress.hints[unit] = min(level, LEVELS)
    progress.states = {name: progress.states.get(name, "empty") for name in own}
    save_progress(path.parent, progress)
    return unit, min(level, LEVELS), lines


def _renamed(unit: str, side: str) -> str:
    """The method's name on the other side: `call` in Keras is `forward` in PyTorch."""
    owner, dot, method = unit.rpartition(".")
    forward = {"keras": "call", "torch": "forward"}
    return owner + dot + (forward[side] if method == forward[other(side)] and dot else method)
