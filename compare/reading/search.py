"""What the site's search knows: a document for each twin, difference and word. MiniSearch finds in it, in the browser.

It forgives typing mistakes and finds the beginnings of words, so that Korean words are found with their particles.
"""

import json
import re
from collections.abc import Iterable

from compare.reading import counterparts, glossary, languages
from compare.reading.aligned import SIDES, read
from compare.reading.differences import functions
from compare.reading.synonyms import SYNONYMS
from twin.catalogue import chapter_of
from twin.differences import TOPICS
from twin.glossary import TOPICS as WORDS
from twin.spec import Twin

IDENTIFIER = re.compile(r"[^\W\d]\w+")
LEAST = 2  # letters of a name in code


def script(twins: Iterable[Twin], language: str = "en") -> str:
    """search.js: what site.js loads MiniSearch with."""
    content = {"DOCUMENTS": documents(twins, language), "SYNONYMS": SYNONYMS}
    return "".join(
        f"const {name} = {json.dumps(value, ensure_ascii=False, separators=(',', ':'))};\n"
        for name, value in content.items()
    )


def documents(twins: Iterable[Twin], language: str = "en") -> list[dict[str, str]]:
    """Title, address, kind, the names that it has, and all the words and code in it.

    In another language titles are translated, and the English ones are found as names.
    """
    found = []

    def said(text: str) -> str:
        return languages.translated(text, language) or text

    for twin in twins:
        reading = read(twin)
        code = "\n".join(line for side in SIDES for line in getattr(reading, side))
        calls = [
            call
            for use in counterparts.uses(reading)
            for call in (use.counterpart.keras, use.counterpart.torch)
            if call
        ]
        classes = dict.fromkeys(row.where.split(".")[0] for row in reading.rows if row.where)
        names = [twin.name, twin.topic, chapter_of(twin.name).title, twin.paper, *classes]
        if language != "en":
            names.append(twin.title)
        found.append(_document(said(twin.title), f"{twin.name}.html", said(twin.kind), names, [*calls, code]))
    for topic, rows in TOPICS.items():
        for row in rows:
            lines = [text for side in SIDES for text in functions(row.name, side).values()]
            words = [topic, row.keras, row.torch, row.remedy, *lines]
            names = [row.name] if language == "en" else [row.name, row.title]
            kind = said("difference")
            found.append(_document(said(row.title), f"differences.html#{row.name}", kind, names, words))
    for topic, entries in WORDS.items():
        for entry in entries:
            title = f"{entry.keras}: {entry.torch}, {entry.korean}"
            words = [topic, entry.changes, *(glossary.lines(entry.name, side) for side in SIDES)]
            found.append(_document(title, f"glossary.html#{entry.name}", said("word"), [entry.name], words))
    return found


def _document(title: str, address: str, kind: str, names: Iterable[str], words: Iterable[str]) -> dict[str, str]:
    known = dict.fromkeys(each for text in words for each in IDENTIFIER.findall(text) if len(each) >= LEAST)
    return {
        "id": address,
        "title": title.replace("`", ""),
        "kind": kind,
        "names": " ".join(names),
        "words": " ".join(known),
    }
