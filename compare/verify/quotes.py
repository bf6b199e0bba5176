"""The lines of the user's code in which two calls are: beside a cause that names kinds of calls they show more."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compare.verify.verdict import Finding, Verdict

LONGEST = 160  # letters of a line that is shown
SHOWN = 2  # lines of one side


def line_at(file: str | Path, where: str) -> str:
    """The statement at a place, or the line where that is too long; "" where there is none that can be shown.

    Args:
        file: the one that holds the model or the loss; others are looked for beside it.
        where: name and number of the line, as a call has it.
    """
    found = re.match(r"([^:]+\.py):(\d+)", where)
    if found is None:
        return ""
    try:
        text = (Path(file).parent / found.group(1)).read_text()
        line = text.splitlines()[int(found.group(2)) - 1].strip()
        whole = _statement(text, int(found.group(2)))
    except (OSError, IndexError, UnicodeError):
        return ""
    return next((each for each in (whole, line) if 0 < len(each) <= LONGEST), "")


def _statement(text: str, number: int) -> str:
    """The statement that a line belongs to, in one line; "" where it has statements within it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    found = [node for node in nodes if node.lineno <= number <= (node.end_lineno or 0)]
    segment = ast.get_source_segment(text, found[0]) if found else None
    return re.sub(r"(?<=[(\[{]) | (?=[)\]}])", "", " ".join((segment or "").split()))


def quoted(verdict: Verdict, references: Sequence[str]) -> Verdict:
    """The verdict with both lines of code beside what is said of a difference that no fix shows.

    Args:
        verdict: what was found.
        references: of the Keras model and of the PyTorch model, `file.py:callable`.
    """
    files = [reference.rpartition(":")[0] for reference in references]
    found = [each if each.fix else with_lines(each, files) for each in verdict.findings]
    return replace(verdict, findings=tuple(found))


def with_lines(finding: Finding, files: Sequence[str]) -> Finding:
    """The finding with the lines of both calls.

    Args:
        finding: what was found.
        files: that hold the Keras side's code and the PyTorch side's.
    """
    told = []
    for word, file, name in zip(("Keras", "PyTorch"), files, (finding.keras, finding.torch), strict=True):
        known = [] if Path(files[0]).name == Path(files[1]).name else _said(finding.says, Path(file).name)
        where = re.search(r"\(([^():]+\.py:\d+)", name)
        for place in known or ([where.group(1)] if where else []):
            line = line_at(file, place) if file.endswith(".py") else ""
            if line and line not in finding.says:
                told.append(f"{word}'s line is `{line}` ({place})")
    words = [each for each in (finding.says.rstrip("."), *told) if each]
    return replace(finding, says=". ".join(words)) if told else finding


def _said(says: str, file: str) -> list[str]:
    """The lines of a file that what is said of a difference names, the first ones."""
    return list(dict.fromkeys(re.findall(rf"\b{re.escape(file)}:\d+", says)))[:SHOWN]
