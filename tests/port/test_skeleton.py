"""Skeletons and hints: the twin's own file, taken apart and put together."""

import ast

from compare.port import hints, skeleton
from tests.helpers.wrong_ports import disguised
from twin.paths import source


def test_a_skeleton_filled_with_the_twins_own_bodies_is_the_twins_own_file(twin):
    for side in ("torch", "keras"):
        own, bare = (ast.parse(text) for text in (source(side, twin), _skeleton(twin, side)))
        names = skeleton.units(own)
        assert names.keys() == skeleton.units(bare).keys()
        skeleton.graft(bare, own, names)
        assert ast.dump(bare) == ast.dump(own)


def test_a_skeleton_leaves_every_body_and_no_hint(twin):
    for side in ("torch", "keras"):
        text = _skeleton(twin, side)
        for name, node in skeleton.units(ast.parse(text)).items():
            assert ast.unparse(node.body[-1]) == f"raise NotImplementedError('write {name}')"
            assert len(node.body) <= 4  # the docstring, a refusal of sizes, the base class's constructor
        assert "# differs" not in text


def test_files_put_together_of_the_same_are_the_same(twin):
    for side in ("torch", "keras"):
        own = source(side, twin)
        names = skeleton.units(ast.parse(own))
        whole = _unwatched(skeleton.put_together(own, own, None, []))
        assert whole == ast.dump(ast.parse(own))
        assert _unwatched(skeleton.put_together(own, disguised(own), [], [])) == whole
        assert _unwatched(skeleton.put_together(own, own, names, [])) == whole


def test_a_method_has_three_hints_and_a_solution(twin):
    for side in ("torch", "keras"):
        names = list(skeleton.units(ast.parse(source(side, twin))))
        for name in {*names[:1], *names[-1:]}:
            given = [hints.hint(twin, side, name, level) for level in (1, 2, 3)]
            assert all(lines and all(lines) for lines in given)
            assert hints.solution(twin, side, name).lstrip().startswith(("def ", "@"))


def _skeleton(twin, side):
    return skeleton.skeleton(source(side, twin))


def _unwatched(tree):
    """The tree's dump without the notes of which methods were called."""
    for node in skeleton.functions(tree).values():
        node.body = [each for each in node.body if skeleton.RAN not in ast.dump(each)]
    return ast.dump(tree)
