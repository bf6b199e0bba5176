"""Findings that are one call at another place: missing here, and too many there."""

import re
from collections.abc import Sequence
from dataclasses import replace

from compare.verify.verdict import Finding


def _again(finding: Finding, later: Finding) -> bool:
    """Whether a later finding speaks of the activation that a layer has here."""
    named = re.search(r"activation='(\w+)'", finding.says)
    return named is not None and named.group(1) in later.says


def moved(found: Sequence[Finding]) -> list[Finding]:
    """Findings in which a call that one side alone makes here, and the other alone at the next place, is one moved."""
    out: list[Finding] = []
    for number, finding in enumerate(found):
        later = next((each for each in found[number + 1 :] if each.cause != finding.cause), None)
        kinds = [(each.cause or "").split("_", 1) if each is not None else [""] for each in (finding, later)]
        turned = {kinds[0][0], kinds[1][0]} == {"missing", "extra"} and kinds[0][1:] == kinds[1][1:]
        if later is not None and turned and not (out and out[-1].cause == "order"):
            finding = replace(finding, cause="order", says=f"{finding.says}; then the other way round: {later.says}")
        elif later is not None and later.cause == "order" and kinds[0][0] == "missing" and _again(finding, later):
            # Half of a move: the fix alone would do it twice.
            finding = replace(finding, cause="order", says=f"{finding.says}; and {later.says}", fix={})
        out.append(finding)
    return out
