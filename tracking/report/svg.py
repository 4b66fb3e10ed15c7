"""Matplotlib's SVG made fit for a page: smaller, unique ids, colours that follow the theme."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from sport_ray.tracking.figures import palette

# The page defines these variables, for light and for dark.
THEME = {
    **{colour: f"var(--{name})" for name, colour in (palette.KINDS | palette.STEPS).items()},
    palette.INK: "var(--ink)",
    palette.MUTED: "var(--muted)",
    palette.GRID: "var(--grid)",
    palette.PAPER: "var(--panel)",
    palette.VIOLATION: "var(--violation)",
    palette.ALARM: "var(--bad)",
    "#000000": "var(--ink)",
}
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_COORDINATES = re.compile(r'(?<= )(d|points|x|y|width|height|transform)="([^"]*)"')


def inline_svg(svg: str, name: str, label: str) -> Markup:
    """An SVG file's text as an element to put in a page, with `label` for screen readers.

    Ids get `name` as prefix (several figures share a page), coordinates are rounded to a tenth
    of a point, colours of `sport_ray.tracking.figures.palette` become CSS variables, metadata goes.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = _COORDINATES.sub(_round, body)
    for colour, variable in THEME.items():
        body = body.replace(colour, variable)
    body = re.sub(r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1var(--font)", body)
    body = re.sub(r"\n\s*", "\n", body)
    # The size comes from the page; the view box keeps the shape.
    opening = re.match(r"<svg[^>]*>", body)
    assert opening is not None
    view_box = re.search(r'viewBox="[^"]*"', opening.group())
    assert view_box is not None
    start = f'<svg {view_box.group()} role="img" aria-label="{escape(label)}">'
    return Markup(start + body[opening.end() :])


def _round(attribute: re.Match[str]) -> str:
    # Scale factors in a transform need their digits, coordinates do not.
    digits = 3 if attribute.group(1) == "transform" else 1
    text = _NUMBER.sub(lambda n: f"{float(n.group()):.{digits}f}", attribute.group(2))
    return f'{attribute.group(1)}="{" ".join(text.split())}"'
