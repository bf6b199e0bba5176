"""The verdict for a terminal."""

from compare.verify.verdict import Verdict
from twin.table import table


def text(verdict: Verdict) -> str:
    """The verdict for a terminal."""
    other = [[keras, torch] for keras, torch in verdict.pairs.items() if keras != torch]
    parts = [
        f"{len(verdict.pairs)} pairs of layers; {len(verdict.pairs) - len(other)} have the same name on both sides."
    ]
    if other:
        parts.append(table(other, ["Keras", "PyTorch"]))
    if not verdict.pairs:
        parts = []
    if verdict.rungs:
        held = [f"{rung} ({far:.1e})" if far else rung for rung, far in verdict.rungs.items()]
        parts.append(f"agree: {', '.join(held)}")
    if verdict.verdict == "agree":
        parts.append("The two models agree on every rung.")
    for number, finding in enumerate(verdict.findings):
        line = finding.line()
        parts.append(line if number == 0 else line.replace("first difference", "also differs"))
        if finding.samples:
            parts.append(
                "\n".join(
                    f"  {name}: {', '.join(f'{v:.5g}' for v in values)} ..." for name, values in finding.samples.items()
                )
            )
    return "\n\n".join([*parts, *verdict.notes])
