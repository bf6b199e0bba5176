"""How engines look on pages: the style sheet that all pages share, with each engine's colour, line and marker."""

from compare.engines.engine import ENGINES
from twin.paths import ROOT

STYLE = ROOT / "compare" / "templates" / "style.css"


def style_sheet() -> str:
    """style.css, followed by what the engines declare: colours on light and dark pages, lines and markers."""
    light = " ".join(f"--{engine.name}: {engine.colours[0]};" for engine in ENGINES.values())
    dark = " ".join(f"--{engine.name}: {engine.colours[1]};" for engine in ENGINES.values())
    rules = [f":root {{ {light} }}", f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"]
    for engine in ENGINES.values():
        name, colour = engine.name, f"var(--{engine.name})"
        rules += [
            f".full.{name}, .hollow.{name} {{ color: {colour}; }}",
            f"svg .span.{name}, svg .bar.{name}, svg .curve.{name} {{ stroke: {colour}; }}",
            f"svg .spread.{name} {{ fill: {colour}; }}",
            f".curves .{name} {{ stroke: {colour}; stroke-dasharray: {engine.dashes}; }}",
            f".line-key.{name} {{ border-color: {colour}; border-top-style: {engine.border}; }}",
        ]
    return STYLE.read_text(encoding="utf-8") + "\n".join(rules) + "\n"
