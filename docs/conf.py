"""The documentation site: these pages, and an API reference from the docstrings (`make docs`)."""

from __future__ import annotations

import contextlib
import inspect
import re
from typing import Any

import sport_ray

project = "sport-ray"
author = "the sport-ray developers"
release = version = sport_ray.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "sport-ray"
html_show_copyright = False
html_show_sourcelink = False

_ARGUMENT = re.compile(r"((?:\w+, )*\w+): (.+)")


def arguments_as_fields(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """The house's `alpha: the largest ratio` at the margin becomes a field of the reference."""
    known = set(getattr(thing, "__annotations__", {}))
    with contextlib.suppress(TypeError, ValueError):
        known |= set(inspect.signature(thing).parameters)
    found: list[str] = []
    fields = False
    for line in lines:
        match = _ARGUMENT.fullmatch(line)
        if match and not set(match[1].split(", ")) <= known:
            match = None
        inside = fields and line.startswith(" ")
        if line.strip() and not inside and bool(match) != fields and found and found[-1].strip():
            found.append("")
        if line.strip() and not inside:
            fields = bool(match)
        found.append(f":param {match[1]}: {match[2]}" if match else line)
    lines[:] = found


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", arguments_as_fields)
