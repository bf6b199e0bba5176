"""The verdict for a terminal."""

from compare.verify.verdict import Verdict
from twin.table import filled, fitted


def text(verdict: Verdict) -> str:
    """The verdict for a terminal."""
    other = [[keras, torch] for keras, torch in verdict.pairs.items() if keras != torch]
    same = len(verdict.pairs) - len(other)
    parts = [filled(f"{len(verdict.pairs)} pairs of layers; {same} have the same name on both sides.")]
    if other:
        parts.append(fitted(other, ["Keras", "PyTorch"], ("left", "left")))
    if not verdict.pairs:
        parts = []
    if verdict.rungs:
        held = [f"{rung} ({far:.1e})" if far else rung for rung, far in verdict.rungs.items()]
        parts.append(filled(f"agree: {', '.join(held)}"))
    if verdict.verdict == "agree":
        parts.append("The two models agree on every rung.")
    for number, finding in enumerate(verdict.findings):
        line = finding.line()
        parts.append(filled(line if number == 0 else line.replace("first difference", "also differs")))
        if finding.samples:
            parts.append(
                "\n".join(
                    filled(f"{name}: {', '.join(f'{v:.5g}' for v in values)} ...", "  ", "    ")
                    for name, values in finding.samples.items()
                )
            )
    return "\n\n".join([*parts, *map(filled, verdict.notes)])
