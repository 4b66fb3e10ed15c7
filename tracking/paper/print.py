"""Figures for print: PDF with embedded TrueType fonts at two widths, and PGF where TeX is there."""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter

from sport_ray.tracking.figures.sheet import Sheet
from sport_ray.tracking.paper.tex import escape
from sport_ray.tracking.results.files import write_atomically

TEXT = 7.5
"""Points of ordinary text; the smallest is five sixths of it."""
ENGINE = "pdflatex"
_PGF: dict[Any, Any] = {"pgf.texsystem": ENGINE, "pgf.rcfonts": False, "pgf.preamble": ""}


def sheet_of(width: float, pgf: bool) -> Sheet:
    """A place of so many inches in a paper. pgf: also write NAME.pgf."""
    return Sheet(width, TEXT, partial(_to_print, pgf=pgf))


@lru_cache(maxsize=1)
def has_pgf() -> bool:
    """Whether there is an engine that can measure text for PGF, and the package itself."""
    if not (shutil.which(ENGINE) and shutil.which("kpsewhich")):
        return False
    found = subprocess.run(["kpsewhich", "pgf.sty"], capture_output=True, timeout=60, check=False)
    return found.returncode == 0


def _to_print(figure: Figure, folder: Path, name: str, pgf: bool) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    write_atomically(folder / f"{name}.pdf", buffer.getvalue())
    figure.set_layout_engine("none")
    if pgf:
        text = io.StringIO()
        _escape_texts(figure)
        with mpl.rc_context(_PGF):
            figure.savefig(text, format="pgf")
        write_atomically(folder / f"{name}.pgf", _without_comments(text.getvalue()))
    return ""


def _without_comments(text: str) -> str:
    """The drawing without its first lines, which say how to include it under another name."""
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if not line.startswith("%"))
    return "\n".join(lines[start:])


def _escape_texts(figure: Figure) -> None:
    """Texts as commands that mean them: labels of ticks by formatters, since they are set late."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_Escaped(axis.get_major_formatter()))
            axis.set_minor_formatter(_Escaped(axis.get_minor_formatter()))
    for text in figure.findobj(Text):
        if text.get_text():
            text.set_text("\n".join(map(escape, text.get_text().split("\n"))))


class _Escaped(Formatter):
    """The labels of another formatter, for LaTeX."""

    def __init__(self, inner: Formatter) -> None:
        self.inner = inner

    def __call__(self, x: float, pos: int | None = None) -> str:
        return escape(self.inner(x, pos))

    def get_offset(self) -> str:
        """What all labels are multiplied by, or added to."""
        return escape(self.inner.get_offset())

    def set_locs(self, locs: Any) -> None:
        """Where the ticks are."""
        self.inner.set_locs(locs)
