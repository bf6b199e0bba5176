"""The ideas in plain words: long enough to say something, short enough to read, with formulas that a browser draws."""

import re

import pytest

from compare.reading import prose
from twin.catalogue import TWINS

WRITTEN = sorted(file.stem for file in prose.FOLDER.glob("*.md"))


def test_every_twin_has_its_idea_in_words():
    assert set(WRITTEN) == set(TWINS), "write compare/reading/prose/<name>.md"


@pytest.mark.parametrize("name", WRITTEN)
def test_a_text_has_150_to_300_words_a_formula_and_something_to_try(name):
    paragraphs = prose.paragraphs(name)
    text = "\n\n".join(paragraphs)
    assert 150 <= len(re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL).split()) <= 300
    assert sum(each.startswith("$$") for each in paragraphs) >= 1
    assert paragraphs[-1].startswith("Try: ")
    assert text.count("$") % 2 == 0
    assert all(len(word) < 40 for each in paragraphs if "$" not in each for word in each.split())


@pytest.mark.parametrize("name", WRITTEN)
def test_its_formulas_become_mathml(name):
    pytest.importorskip("latex2mathml")
    for paragraph in prose.paragraphs(name):
        text = prose.as_html(paragraph)
        assert "$" not in text
        assert "\\" not in text, text
        assert (
            text.count("<math")
            == text.count("</math>")
            == len(re.findall(r"\$\$.+?\$\$|\$.+?\$", paragraph, re.DOTALL))
        )


def test_words_are_text_and_no_markup():
    pytest.importorskip("latex2mathml")
    assert prose.as_html("a < b, `x < y`") == "a &lt; b, <code>x &lt; y</code>"
