"""The lines of the user's code in which two calls are: beside a cause that names kinds of calls they show more."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compare.verify.verdict import Finding, Verdict

LONGEST = 160  # letters of a line that is shown


def line_at(file: str | Path, where: str) -> str:
    """The line of code at a place; "" where there is none, or one that is too long to be shown.

    Args:
        file: the one that holds the model or the loss; others are looked for beside it.
        where: name and number of the line, as a call has it.
    """
    found = re.match(r"([^:]+\.py):(\d+)", where)
    if found is None:
        return ""
    try:
        lines = (Path(file).parent / found.group(1)).read_text().splitlines()
        line = lines[int(found.group(2)) - 1].strip()
    except (OSError, IndexError, UnicodeError):
        return ""
    return line if len(line) <= LONGEST else ""


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
        where = re.search(r"\(([^():]+\.py:\d+)", name)
        if finding.rung == "gradients" and where is None:  # a layer's name stands there, and the line in what is said
            where = re.search(rf"\b({re.escape(Path(file).name)}:\d+)", finding.says)
        line = line_at(file, where.group(1)) if where and file.endswith(".py") else ""
        if where and line and line not in finding.says:
            told.append(f"{word}'s line is `{line}` ({where.group(1)})")
    words = [each for each in (finding.says.rstrip("."), *told) if each]
    return replace(finding, says=". ".join(words)) if told else finding
