"""The two files of a twin read straight across: same classes, names, order and words, or a `# differs:` tag."""

import ast
import re

import pytest

from twin.catalogue import TWINS
from twin.paths import ROOT, source

SHAPE = re.compile(r"\(B, [^()]*\)")


def words(docstring: str | None) -> str:
    """A docstring in which a shape is the set of its axes: Keras's channels stand last, PyTorch's second."""
    return SHAPE.sub(lambda found: "(" + ", ".join(sorted(found[0][1:-1].split(", "))) + ")", docstring or "")


def outline(text: str) -> list[tuple]:
    """What must be the same on both sides, in order; what carries a `# differs:` tag is left out."""
    lines = text.splitlines()
    tree = ast.parse(text)
    found: list[tuple] = [("module", words(ast.get_docstring(tree)))]
    _walk(tree.body, "", lines, found)
    return found


def _walk(body, prefix, lines, found) -> None:
    for node in body:
        tagged = any("# differs:" in line for line in lines[node.lineno - 1 : _head_end(node)])
        if isinstance(node, ast.ClassDef):
            if not tagged:  # a tagged class exists on one side only
                found.append(("class", prefix + node.name, words(ast.get_docstring(node))))
                _walk(node.body, f"{prefix}{node.name}.", lines, found)
        elif isinstance(node, ast.FunctionDef):
            name = "call" if node.name == "forward" else node.name
            signature = () if tagged else tuple(ast.unparse(argument) for argument in node.args.args)
            found.append(("def", prefix + name, signature, words(ast.get_docstring(node))))
            if node.name == "__init__":
                found.append(("attributes", prefix, *_attributes(node)))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and not tagged:
            found.append(("name", prefix + node.targets[0].id))


def _head_end(node) -> int:
    """The last line of a definition's head, or of a whole statement."""
    return node.body[0].lineno - 1 if hasattr(node, "body") else node.end_lineno


def _attributes(init) -> list[str]:
    """The attributes that a constructor assigns, in order."""
    return [
        target.attr
        for node in ast.walk(init)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    ]


def test_files_correspond(twin):
    keras, torch = outline(source("keras", twin)), outline(source("torch", twin))
    for mine, other in zip(keras, torch, strict=False):
        assert mine == other
    assert len(keras) == len(torch)


def test_tags_give_a_reason_and_stand_on_both_sides_of_a_definition(twin):
    for side in ("keras", "torch"):
        for number, line in enumerate(source(side, twin).splitlines(), start=1):
            if "differs" in line and "#" in line:
                assert re.search(r"# differs: .{12,}", line), f"{side} line {number}: a tag without a reason"


def test_a_keras_model_can_be_saved(twin):
    """Keras saves a subclass of `keras.Model` only if the class says which arguments made it (keras_impl/saving.py)."""
    if twin.kind == "model":
        (model,) = [n for n in ast.parse(source("keras", twin)).body if getattr(n, "name", "") == twin.model]
        assert "serializable" in map(ast.unparse, model.decorator_list)


def test_a_file_is_one_page(twin):
    for side in ("keras", "torch"):
        assert len(source(side, twin).splitlines()) <= 300


def test_every_implementation_is_in_the_catalogue():
    for side in ("keras", "torch"):
        files = {p.stem for kind in ("models", "exercises") for p in (ROOT / f"{side}_impl" / kind).rglob("*.py")}
        assert files - {"__init__"} == set(TWINS)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("self.conv2", "self.second"), "attributes"),
        (("class LeNet", "class Lenet"), "class"),
        (("image_shape, num_classes", "image_shape, classes"), "def"),
        (("Three 5x5 convolutions", "Some convolutions"), "class"),
        (("LeNet-5: the first", "LeNet: the first"), "module"),
    ],
    ids=lambda change: change if isinstance(change, str) else None,
)
def test_the_outline_sees_a_difference(change, where):
    text = source("torch", TWINS["lenet"])
    before, after = outline(text), outline(text.replace(*change))
    assert {mine[0] for mine, other in zip(before, after, strict=True) if mine != other} >= {where}
