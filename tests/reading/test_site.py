"""The site of some twins, and what is refused."""

import re

import pytest

from compare.reading import figures, site
from compare.record.measurement import exports_of
from compare.record.record import read_record
from tests.helpers.command import twin
from tests.helpers.site import Page, record
from twin.catalogue import TWINS
from twin.errors import TwinError
from twin.paths import ROOT


def test_the_newer_record_counts(tmp_path):
    new, old = record(tmp_path / "a.json", 0.91, 200), record(tmp_path / "b.json", 0.55, 100)
    values = [each.result.value for each in figures.newest([new, old]) if each.measure == "train"]
    assert values == [0.91]


def test_what_cannot_be_read_or_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(TwinError, match=r"cannot write .*style\.css: File exists; choose another place with FOLDER"):
        site.build(tmp_path / "file", twins=[TWINS["mlp"]])
    with pytest.raises(TwinError, match="expected a record"):
        site.build(tmp_path / "site", [tmp_path / "nothing.json"])
    with pytest.raises(TwinError, match="is no record"):
        site.build(tmp_path / "site", [tmp_path / "file"])


def test_a_site_of_two_twins_leads_nowhere_else(tmp_path):
    site.build(tmp_path, twins=[TWINS["mlp"], TWINS["lenet"]])
    found = {path.name: Page(path.read_text()) for path in tmp_path.glob("*.html")}
    assert set(found) == {"index.html", "differences.html", "glossary.html", "mlp.html", "lenet.html"}
    books = {"mlp.ipynb", "lenet.ipynb"}
    korean = {f"ko/{name}" for name in found}
    links = {link.partition("#")[0] or name for name, page in found.items() for link in page.links}
    assert links <= set(found) | books | korean


def test_a_record_of_exports_gets_a_page_in_both_languages(tmp_path):
    site.build(tmp_path, [ROOT / "docs" / "exports.json"], twins=[TWINS["mlp"], TWINS["gru"]])
    english, korean = ((tmp_path / place / "exports.html").read_text() for place in ("", "ko"))
    cells = [
        each for each in exports_of(read_record(ROOT / "docs" / "exports.json").measurements) if each.twin == "mlp"
    ]
    for text in (english, korean):
        page = Page(text)
        page.close()
        assert page.open == []
        assert "gru.html" in page.links
        assert "conv_lstm" not in text
        assert all(f">{each.format}</th>" in text for each in cells)
        assert "refused</td>" in text
        assert "TensorList" in text
    works = sum(each.status == "ok" for each in cells)
    assert int(re.search(r"(\d+) of \d+ files answer", english)[1]) > works > 10
    assert 'href="exports.html"' in (tmp_path / "mlp.html").read_text()
    assert 'id="results"' not in (tmp_path / "mlp.html").read_text()


def test_the_command_refuses_what_is_no_record(tmp_path):
    answer = twin("site", "out", "--record", "no.json", cwd=tmp_path)
    assert (answer.returncode, answer.stdout, len(answer.stderr.splitlines())) == (2, "", 1)
