"""`twin port`: a twin to write again in the other framework: the folder, the learner's file, and help with it."""

import ast
import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compare.engines.engine import FRAMEWORKS
from compare.port import skeleton
from compare.record.schema import load
from twin import untrusted
from twin.errors import TwinError
from twin.files import write_json, write_text
from twin.paths import source
from twin.spec import Twin


def other(side: str) -> str:
    """The framework that the port comes from."""
    return "keras" if side == "torch" else "torch"


def has_bodies(twin: Twin) -> bool:
    """Whether there is anything to write; a twin may be another one with other numbers."""
    return bool(skeleton.units(ast.parse(source("torch", twin))))


def file_name(twin: Twin, side: str) -> str:
    return f"{twin.name}_{side}.py"


def go_on(twin: Twin, to: str = "torch") -> tuple[str, ...]:
    """The words of the command that goes on with a twin: it begins its port, or checks the one that was begun."""
    folder = default_folder(twin, to)
    if not has_bodies(twin):
        return ("path",)
    return ("port", twin.name, *(("--check", str(folder)) if folder.exists() else ("--to", to)))


def default_folder(twin: Twin, side: str) -> Path:
    return Path("port") / f"{twin.name}-{side}"


def write(twin: Twin, side: str, folder: Path, force: bool, program: str = "twin") -> list[Path]:
    """Write the finished side, the skeleton of the other, and a page on what to do.

    Args:
        twin: what is ported.
        side: the framework to write it in.
        folder: where.
        force: whether a learner's file that is there may be written over.
        program: how this one is called, in the commands of that page.

    Raises:
        TwinError: when it may not, or the folder cannot be written.
    """
    finished, own = source(other(side), twin), source(side, twin)
    mine = folder / file_name(twin, side)
    if mine.exists() and not force:
        raise TwinError(
            f"{mine} is there already, and is yours; check it with `twin port {twin.name} --check {folder}`, "
            "or begin again with --force"
        )
    names = list(skeleton.units(ast.parse(own)))
    if not names:
        raise TwinError(f"{twin.name} has no method to write: it is another twin with other numbers; port that one")
    files = {
        folder / file_name(twin, other(side)): finished,
        mine: skeleton.skeleton(own),
        folder / "START.md": _start(twin, side, folder, names, program),
    }
    for path, text in files.items():
        write_text(path, text)
    save_progress(folder, Progress(twin.name, side, dict.fromkeys(names, "empty")))
    return list(files)


@dataclass
class Progress:
    """What a folder remembers between commands.

    Args:
        twin, to: what is ported, and to which framework.
        states: each method's, as last checked.
        hints: how many hints were given, by method.
        checked: a digest of each method's lines, as last checked.
    """

    twin: str
    to: str
    states: dict[str, str]
    hints: dict[str, int] = field(default_factory=dict)
    checked: dict[str, str] = field(default_factory=dict)

    @property
    def right(self) -> int:
        return sum(state in ("right", "not run") for state in self.states.values())

    @property
    def done(self) -> bool:
        return self.right == len(self.states)


def digest(method: ast.FunctionDef) -> str:
    """Of what a method does: comments and line breaks do not count."""
    return hashlib.sha256(ast.unparse(method).encode()).hexdigest()[:16]


def read_progress(folder: Path) -> Progress | None:
    """What a folder remembers; None where it remembers nothing.

    Raises:
        TwinError: when its file is spoilt.
    """
    path = folder / "progress.json"
    if not path.exists():
        return None
    try:
        progress = load(Progress, json.dumps(untrusted.json_of(untrusted.text(path, "what `twin port` wrote"))))
    except ValueError as error:
        raise TwinError(f"cannot read {path}: {error}; delete it and check again") from error
    return progress


def save_progress(folder: Path, progress: Progress) -> None:
    """Write it whole, or not at all."""
    write_json(folder / "progress.json", vars(progress))


def locate(twin: Twin, where: Path | None, to: str | None) -> tuple[Path, str]:
    """The learner's file and the framework it is written in.

    Args:
        twin: what is ported.
        where: its folder or file; None for the default folder.
        to: the framework, where the learner says so.

    Raises:
        TwinError: when there is no such file, or two.
    """
    if where is None:
        sides = [side for side in ("torch", "keras") if default_folder(twin, side).is_dir() and to in (None, side)]
        if not sides:
            where_not = default_folder(twin, to or "torch")
            raise TwinError(f"no folder {where_not}; begin with `twin port {twin.name} --to {to or 'torch'}`")
        if len(sides) > 1:
            raise TwinError(f"{twin.name} is ported to both frameworks here; say which: --to torch or --to keras")
        where = default_folder(twin, sides[0])
    if where.is_dir():
        found = [
            side for side in ("torch", "keras") if to in (None, side) and (where / file_name(twin, side)).is_file()
        ]
        progress = read_progress(where)
        side = to or (progress.to if progress and progress.twin == twin.name else found[0] if len(found) == 1 else None)
        if side is None or side not in found:
            names = " or ".join(file_name(twin, each) for each in ((side,) if side else ("torch", "keras")))
            raise TwinError(f"no {names} in {where}; `twin port {twin.name} --out {where} --force` writes it anew")
        return where / file_name(twin, side), side
    if not where.is_file():
        raise TwinError(f"no file {where}; expected what `twin port {twin.name}` wrote, or its folder")
    return where, to or _side_of(where)


def read(path: Path, own: ast.Module) -> tuple[str, ast.Module]:
    """A learner's file, which has everything that the twin's own defines.

    Raises:
        TwinError: for a syntax error, a class or a method that is missing, or other arguments; with file and line.
    """
    text, tree = untrusted.python(path)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    wanted_classes = [node.name for node in own.body if isinstance(node, ast.ClassDef)]
    for name in wanted_classes:
        if name not in classes:
            raise _missing(path, "class", name, {n: c.lineno for n, c in classes.items() if n not in wanted_classes}, 1)
    there, wanted = skeleton.functions(tree), skeleton.functions(own)
    for name, node in wanted.items():
        owner = name.rpartition(".")[0]
        if name not in there:
            spare = {
                each: found.lineno
                for each, found in there.items()
                if each not in wanted and each.rpartition(".")[0] == owner
            }
            raise _missing(path, "method" if owner else "function", name, spare, classes[owner].lineno if owner else 1)
        mine, theirs = (_arguments(each) for each in (there[name], node))
        if mine != theirs and (name == "run" or name.endswith(".__init__")):  # these are called by name
            raise TwinError(
                f"{path}:{there[name].lineno}: {name} takes ({', '.join(mine)}); "
                f"expected ({', '.join(theirs)}), because its arguments come by name"
            )
    return text, tree


def _arguments(node: ast.FunctionDef) -> list[str]:
    return [each.arg for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]


def _missing(path: Path, what: str, name: str, spare: Mapping[str, int], line: int) -> TwinError:
    near = difflib.get_close_matches(name, spare, n=1, cutoff=0.6) or list(spare)[:1]
    renamed = f"; was it renamed to {near[0]}? The twin needs the name {name}" if near else "; it must keep its name"
    return TwinError(f"{path}:{spare[near[0]] if near else line}: {what} {name} is missing{renamed}")


def _side_of(path: Path) -> str:
    """The framework that a file imports.

    Raises:
        TwinError: when it imports both or none.
    """
    tree = untrusted.python(path)[1]
    modules = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    modules += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    found = {name.partition(".")[0].removesuffix("_impl") for name in modules} & {"keras", "torch"}
    if len(found) != 1:
        raise TwinError(f"{path} imports {' and '.join(sorted(found)) or 'no framework'}; say --to torch or --to keras")
    return found.pop()


def _start(twin: Twin, side: str, folder: Path, names: list[str], program: str) -> str:
    finished, mine = file_name(twin, other(side)), file_name(twin, side)
    listed = "\n".join(f"- [ ] `{name}`" for name in names)
    return f"""# {twin.title}: from {FRAMEWORKS[other(side)]} to {FRAMEWORKS[side]}

`{finished}` is finished. `{mine}` has the same classes and methods and their docstrings with the
shapes, but no bodies. Write them, one at a time if you like; each is checked by itself.

{listed}

- `{program} port {twin.name} --check {folder}` says what is right, and the first thing that is not.
- `{program} port {twin.name} --hint {folder}` helps with the next method, in three steps: shapes, calls, arguments.
- `{program} port {twin.name} --solution {names[0]} {folder}` shows the twin's own lines of a method.
- `{program} differences` has the lines that look alike in both frameworks and are not.

Keep the names of classes, methods and of the attributes that have weights: weights cross by name.
"""
