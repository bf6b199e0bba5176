"""The verdict of `twin verify` as one page that opens offline."""

from html import escape
from pathlib import Path

from compare.engines.look import style_sheet
from compare.verify.run import Request
from compare.verify.verdict import RUNGS, SIDES, Verdict
from twin.files import write_text

STYLE = """
table { width: 100%; }
td { overflow-wrap: anywhere; }
h1.agree { color: var(--good); } h1.differ, tr.differ td { color: var(--bad); }
.finding { border-left: .3rem solid var(--bad); padding: .1rem 1rem; margin: 1rem 0; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 0; overflow-wrap: anywhere; }
"""  # beside style.css, which every page of the suite has


def write(path: Path, request: Request, verdict: Verdict) -> None:
    """Write the page.

    Raises:
        TwinError: when the file cannot be written.
    """
    write_text(path, render(request, verdict), "--html", request.files)


def render(request: Request, verdict: Verdict) -> str:
    """The page's HTML."""
    words = {
        "agree": "The two models agree",
        "differ": "The two models differ",
        "unpaired": "The layers do not pair up",
    }
    title = words.get(verdict.verdict, "The models could not be compared")
    parts = [
        f'<h1 class="{verdict.verdict}">{title}</h1>',
        f"<p><code>{escape(request.keras)}</code> in Keras beside <code>{escape(request.torch)}</code> in PyTorch.</p>",
        *(f"<p>{escape(note)}</p>" for note in verdict.notes),
    ]
    if verdict.rungs:
        rows = "".join(f"<tr><td>{RUNGS[name]}</td><td>{far:.2g}</td></tr>" for name, far in verdict.rungs.items())
        parts.append(f"<h2>What agrees</h2><table><tr><th>rung</th><th>worst relative distance</th></tr>{rows}</table>")
    if verdict.findings:
        parts.append("<h2>What differs, in the order of execution</h2>")
    for finding in verdict.findings:
        facts = {
            "rung": RUNGS[finding.rung],
            "what": finding.what,
            "cause": f"{finding.cause}: {finding.says}" if finding.cause else "none of those that were tried",
            "distance": " to ".join(f"{far:.2g}" for far in (finding.before, finding.after) if far is not None),
            **{f"fix in {word}": finding.fix[side].text for side, word in SIDES.items() if side in finding.fix},
            "tried": ", ".join(finding.tried),
            **{name: ", ".join(f"{v:.5g}" for v in values) + " ..." for name, values in finding.samples.items()},
        }
        listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
        parts.append(f'<div class="finding"><h3>{escape(finding.place)}</h3><dl>{listed}</dl></div>')
    if verdict.pairs:
        marked = {finding.keras for finding in verdict.findings}
        rows = "".join(
            f"<tr{' class=differ' if keras in marked else ''}><td>{escape(keras)}</td><td>{escape(torch)}</td></tr>"
            for keras, torch in verdict.pairs.items()
        )
        parts.append(f"<h2>The layers</h2><table><tr><th>Keras</th><th>PyTorch</th></tr>{rows}</table>")
    style = style_sheet() + STYLE
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body><main>'
        f"{''.join(parts)}</main></body></html>\n"
    )
