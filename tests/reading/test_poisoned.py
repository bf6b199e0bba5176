"""No value of a record reaches a page as HTML: pages of the course and of the report, with a script in every field."""

import json
from typing import Any

import pytest

from compare.reading import site
from compare.record.schema import to_plain
from compare.report import figures
from compare.report import page as report_page
from tests.helpers import synthetic
from twin.catalogue import find

pytestmark = pytest.mark.slow

POISON = "\"'><script>poison()</script>"
# What reading holds to a few words, or to the form of a time.
FIXED = {"measure", "status", "schema", "rung", "verdict", "of", "device", "dtype", "size", "started"}
ENGINES = ("torch", "keras-jax")
RECORD = to_plain(synthetic.record(2, ENGINES, seeds=2, process_runs=3, troubles=False))


def fields(value: Any) -> set[str]:
    """The names of all fields and keys that hold or are a text."""
    if isinstance(value, dict):
        own = {name for name, inner in value.items() if isinstance(inner, str)}
        return own.union(*map(fields, value.values()))
    return set().union(*map(fields, value)) if isinstance(value, list) else set()


def poisoned(value: Any, field: str, within: str = "") -> Any:
    """A copy with the script in every text of that field; for 'KEYS', in the names of losses."""
    if isinstance(value, dict):
        if field == "KEYS" and within == "loss":
            return {name + POISON: inner for name, inner in value.items()}
        return {name: poisoned(inner, field, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, field, within) for inner in value]
    return value + POISON if isinstance(value, str) and within == field else value


@pytest.mark.parametrize("field", [*sorted(fields(RECORD) - FIXED), "KEYS"])
def test_a_script_in_a_field_stays_text_on_every_page(field, tmp_path):
    spoilt = poisoned(RECORD, field)
    (tmp_path / "record.json").write_text(json.dumps(spoilt))
    (tmp_path / "shown.json").write_text(json.dumps(spoilt if field != "twin" else RECORD))  # a page shows its own twin
    site.build(tmp_path / "pages", [tmp_path / "shown.json"], [find(RECORD["measurements"][0]["twin"])])
    pages = [path.read_text() for path in (tmp_path / "pages").rglob("*.html")]
    pages.append(report_page.of_sources(figures.read([tmp_path / "record.json"])))
    assert any(RECORD["measurements"][0]["engine"] in page for page in pages)
    assert not any("<script>poison" in page for page in pages)
    assert not any("\"'>" in page for page in pages)
