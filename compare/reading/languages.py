"""The languages of the site: English as everything is written, and Korean.

korean/ has the translations, English sentence to Korean sentence: the interface, titles, the glossary, calls,
differences; and in korean/prose the ideas. A sentence that changes has no translation until somebody writes it: a test
says which.
"""

import functools
import json
from pathlib import Path

LANGUAGES = {"en": "", "ko": "ko/"}  # and the folder of the site in which its pages lie
FOLDER = Path(__file__).parent / "korean"


@functools.cache
def korean() -> dict[str, str]:
    """Every sentence that has a translation, with it."""
    files = sorted(FOLDER.glob("*.json"))
    return {english: said for file in files for english, said in json.loads(file.read_text(encoding="utf-8")).items()}


def translated(text: str, language: str) -> str | None:
    """A sentence in a language; None where nobody has translated it."""
    return text if language == "en" else korean().get(text)


def titles() -> dict[str, str]:
    """Titles of chapters and of twins in Korean, by the English ones."""
    return json.loads((FOLDER / "titles.json").read_text(encoding="utf-8"))
