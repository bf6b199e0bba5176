"""The idea of a twin in plain words, from prose/NAME.md: paragraphs, `code`, and formulas in LaTeX between dollars.

A notebook shows them as they are. A page gets MathML, which browsers draw by themselves, without a script or a network.
"""

import html
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "prose"
PIECES = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|`([^`]+)`", re.DOTALL)


def paragraphs(name: str, folder: Path = FOLDER) -> list[str]:
    """A twin's text; empty where nobody has written it."""
    file = folder / f"{name}.md"
    return file.read_text(encoding="utf-8").strip().split("\n\n") if file.exists() else []


def as_html(paragraph: str) -> str:
    """A paragraph for a page, with MathML."""
    from latex2mathml.converter import convert

    out, at = [], 0
    for found in PIECES.finditer(paragraph):
        out.append(html.escape(paragraph[at : found.start()], quote=False))
        block, inline, code = found.groups()
        if code:
            out.append(f"<code>{html.escape(code, quote=False)}</code>")
        else:
            out.append(convert(block or inline, display="block" if block else "inline"))
        at = found.end()
    return "".join([*out, html.escape(paragraph[at:], quote=False)])
