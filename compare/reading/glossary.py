"""`twin glossary`: the vocabulary of both frameworks, for people and for programs.

The lines come from the functions of keras_impl/glossary.py and torch_impl/glossary.py as they stand, read from the
files: no framework is needed to show them. Tests run them.
"""

import ast
import contextlib
import difflib
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from compare.engines.engine import FRAMEWORKS
from compare.reading.counterparts import COUNTERPARTS, Counterpart, name_of, references
from compare.reading.synonyms import SYNONYMS
from twin.catalogue import TWINS
from twin.errors import TwinError, unknown
from twin.glossary import ENTRIES, TOPICS, Entry, find
from twin.paths import ROOT, source
from twin.table import code, filled, fitted
from twin.table import table as columns_table

WORD = re.compile(r"\w{2,}")
CALL = re.compile(r"(\w+)\(")
MOST = 3  # entries that have a word only in their lines


def search(term: str) -> Sequence[Entry | Counterpart]:
    """What somebody may mean: a word that is called so, a call, a word with it in its lines, or one called nearly so.

    Raises:
        TwinError: where nothing is found, with the twins that show it, or the nearest names.
    """
    name = term.casefold().removesuffix("()").rpartition(".")[2]
    said = [each for wanted in (term.casefold(), name) for each in SYNONYMS.get(wanted, "").split()]
    if called := [entry for entry in ENTRIES.values() if name in _words([entry.name, entry.keras, entry.torch])]:
        return called
    if called := [entry for entry in ENTRIES.values() if _joined(term) in map(_joined, entry.korean.split(","))]:
        return called
    for wanted in said:
        with contextlib.suppress(TwinError):
            return find(wanted)
    if calls := [each for each in COUNTERPARTS if name in _calls(each)]:
        return calls
    for wanted in (term, name) if WORD.search(name) else ():
        with contextlib.suppress(TwinError):
            return find(wanted)
    words = {entry.name: _words(_texts(entry)) for entry in ENTRIES.values()}
    if found := [entry for entry in ENTRIES.values() if {term.casefold(), name} & words[entry.name]]:
        return found[:MOST]
    twins = {twin.name: _words([twin.name, twin.title, twin.topic]) for twin in TWINS.values()}
    if shown := [each for each, own in twins.items() if {term.casefold(), *said} & own]:
        raise TwinError(
            f"the glossary has no {term!r}, but twins show it: {', '.join(shown[:MOST])}; see: twin show {shown[0]}"
        )
    every = set().union(*map(_calls, COUNTERPARTS), *words.values(), *twins.values())
    if near := difflib.get_close_matches(name, sorted(every - {name}), n=1, cutoff=0.8):
        return search(near[0])
    raise unknown("term", term, ENTRIES)


def _words(texts: Iterable[str]) -> set[str]:
    return {word.casefold() for text in texts for word in WORD.findall(text)}


def _joined(korean: str) -> str:
    """A word without its spaces: Korean is written with and without them."""
    return "".join(korean.split())


def _calls(counterpart: Counterpart) -> set[str]:
    """What a pair of calls is called: `batchnorm2d` of torch.nn.BatchNorm2d(num_features)."""
    texts = (counterpart.keras, counterpart.torch)
    return {
        name.casefold() for text in texts for name in [*CALL.findall(text), name_of(text).rpartition(".")[2]] if name
    }


def _texts(entry: Entry) -> list[str]:
    return [entry.name, entry.keras, entry.torch, entry.korean, *(lines(entry.name, side) for side in FRAMEWORKS)]


def table() -> str:
    """One row each, for a terminal; Korean stands last, because it is twice as wide."""
    rows = [[entry.name, entry.keras, entry.torch, entry.korean] for entry in ENTRIES.values()]
    text = fitted(rows, ["term", "Keras", "PyTorch", "Korean"], ("left",) * 4)
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"{lines}\n\n{filled('`twin glossary TERM` shows a term in full: what changes, and both lines.')}"


def page(entry: Entry | Counterpart) -> str:
    """An entry or a call in full, for a terminal."""
    if isinstance(entry, Counterpart):
        return _call(entry)
    parts = [filled(f"{entry.name}: {entry.keras} - {entry.torch} - {_korean(entry)}"), filled(entry.changes)]
    for side, title in FRAMEWORKS.items():
        parts += [f"{title}{_only_on(entry, side)}:", code(lines(entry.name, side))]
    if entry.see:
        parts.append(filled(f"Where they do not mean the same: twin differences {' '.join(entry.see)}"))
    return "\n\n".join(parts)


def _call(counterpart: Counterpart) -> str:
    """A call and its counterpart, with a twin where both are at work."""
    parts = [f"{title}: {getattr(counterpart, side) or 'nothing'}" for side, title in FRAMEWORKS.items()]
    parts.append(filled(counterpart.changes))
    if counterpart.rows:
        parts.append(filled(f"Where they do not mean the same: twin differences {' '.join(counterpart.rows)}"))
    for twin in TWINS.values():
        for side in FRAMEWORKS:
            if (name := name_of(getattr(counterpart, side))) and name in references(source(side, twin)):
                parts.append(filled(f"To see them at work: twin show {twin.name}"))
                return "\n\n".join(parts)
    return "\n\n".join(parts)


def markdown() -> str:
    """docs/glossary.md: every entry in full, by topic."""
    parts = [
        "# Glossary: the words of Keras 3 and of PyTorch",
        "What one framework calls by this name, the other calls by that, and what changes on the way. Generated by\n"
        "`twin glossary --md docs/glossary.md` from functions that tests run on every engine; do not edit.",
        "Korean: the slides' own word with the letters of the decks that use it, else the usual one, without letters.\n"
        "[한국어로 시작하기](ko.md)",
        "Each pair returns the same on both sides. `x` is (8, 3), `y` its targets (8, 2), `labels` its classes (8,),\n"
        "`image` a batch of images in the framework's own order of axes, `folder` an empty folder. `model` is\n"
        "Sequential: 3 features to 4 units with ReLU, and to 2; the same weights on both sides, zero biases.",
        columns_table(
            [
                [f"[{entry.name}](#{entry.name})", entry.keras, entry.torch, _korean(entry)]
                for entry in ENTRIES.values()
            ],
            ["term", "Keras", "PyTorch", "Korean"],
            style="pipe",
        ),
    ]
    for topic, entries in TOPICS.items():
        parts.append(f"## {topic}")
        parts += [_section(entry) for entry in entries]
    return "\n\n".join(parts) + "\n"


def to_json(entries: Sequence[Entry | Counterpart]) -> list[dict[str, Any]]:
    """The entries for `--json`; calls have no lines of their own."""
    return [
        vars(entry)
        | ({"code": {side: lines(entry.name, side) for side in FRAMEWORKS}} if isinstance(entry, Entry) else {})
        for entry in entries
    ]


def lines(name: str, side: str) -> str:
    """The source text of an entry's function on one side."""
    return _functions(side)[name]


@functools.cache
def _functions(side: str) -> dict[str, str]:
    """The source text of every public function of that side, in its order."""
    text = (ROOT / f"{side}_impl" / "glossary.py").read_text()
    defined = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    lines = text.splitlines()
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in defined}


def _section(entry: Entry) -> str:
    """An entry in Markdown."""
    parts = [f"### {entry.name}", f"{entry.keras} - {entry.torch} - {_korean(entry)}", entry.changes]
    for side, title in FRAMEWORKS.items():
        parts.append(f"*{title}{_only_on(entry, side)}.*\n\n```python\n{lines(entry.name, side)}\n```")
    if entry.see:
        rows = ", ".join(f"[{name}](differences.md#{name})" for name in entry.see)
        parts.append(f"Where they do not mean the same: {rows}")
    return "\n\n".join(parts)


def _korean(entry: Entry) -> str:
    return entry.korean + (f" ({entry.deck})" if entry.deck else "")


def _only_on(entry: Entry, side: str) -> str:
    return f" on {' and '.join(entry.backends)}" if side == "keras" and entry.backends else ""
