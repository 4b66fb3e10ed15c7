"""The paper kit of a study: what a paper includes, and a ``main.tex`` that shows all of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.figures import Drawn, draw_figures
from sport_ray.tracking.paper.methods import methods_in_tex
from sport_ray.tracking.paper.print import has_pgf, sheet_of
from sport_ray.tracking.paper.tables import tables_in_tex
from sport_ray.tracking.paper.tex import escape
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.records import read_results

FOLDER = "paper"
COLUMN, GAP = 3.25, 0.25
"""Inches of a column and between two of them."""
NARROWEST, WIDEST = 2.8, 3.9
MAIN = "main.tex"
_MARK = "% Written by sport-ray report --paper; changes are lost when it is written again."
_ROOT = r"\providecommand{\sportray}{.} % the folder of this kit, as the document sees it"
_PACKAGES = r"""\usepackage{amsmath,amssymb,array,booktabs,graphicx}
\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1}}
"""


def write_paper(results: str | Path, out: str | Path | None = None, column: float = COLUMN) -> Path:
    """Write the figures, the tables and the methods of a study in LaTeX; returns ``main.tex``.

    results: a result folder. out: the kit's folder, by default ``paper`` in it. column: inches of a
    column; full width is two of them and a gap. Figures are PDF, at both widths, and PGF at that of
    a column where pdflatex is installed. The same results give the same bytes.

    Raises:
        UserError: no results, a width that no page has, or a folder that cannot be written to.
    """
    require_column(column)
    folder = read_results(results)
    target = folder.path / FOLDER if out is None else Path(out)
    tables = tables_of(folder)
    certificate = folder.certificate
    beta = None if certificate is None else float(certificate["beta"])
    with writing(target):
        for old in ("column", "full", "tables"):
            shutil.rmtree(target / old, ignore_errors=True)
        drawn, _ = draw_figures(folder, tables, target / "column", sheet_of(column, has_pgf()))
        draw_figures(folder, tables, target / "full", sheet_of(2 * column + GAP, pgf=False))
        floats = tables_in_tex(tables, beta)
        for name, text in floats.items():
            write_atomically(target / "tables" / f"{name}.tex", f"{_MARK}\n{text}")
        for figure in drawn.values():
            for full in (False, True):
                place = target / ("full" if full else "column") / f"{figure.name}.tex"
                write_atomically(place, f"{_MARK}\n{_float(figure, full)}")
        methods = methods_in_tex(folder, tables.frame)
        write_atomically(target / "methods.tex", f"{_MARK}\n{methods}")
        names = [figure.name for figure in drawn.values()]
        main = _main(folder.name, column, names, list(floats))
        return write_atomically(target / MAIN, main)


def require_column(column: float) -> None:
    """Refuse a width, in inches, that no page has.

    Raises:
        UserError: the width, and which there are.
    """
    if not NARROWEST <= column <= WIDEST:
        raise UserError(
            f"a column of {column:g} inches: give a width from {NARROWEST:g} to {WIDEST:g}"
        )


def _float(figure: Drawn, full: bool) -> str:
    """A figure with its caption. full: over both columns."""
    kind, place = ("figure*", "full") if full else ("figure", "column")
    label = f"fig:{figure.name}{'-full' if full else ''}"
    caption = f"{escape(_sentence(figure.title))} {escape(figure.caption)}"
    return "\n".join(
        [
            _ROOT,
            rf"\begin{{{kind}}}[tbp]",
            rf"\centering\includegraphics{{\sportray/{place}/figures/{figure.name}.pdf}}",
            rf"\caption{{{caption}}}\label{{{label}}}",
            rf"\end{{{kind}}}",
            "",
        ]
    )


def _sentence(title: str) -> str:
    return title if title.endswith("?") else f"{title}."


def _main(name: str, column: float, figures: list[str], tables: list[str]) -> str:
    width = 2 * column + GAP
    inputs = [
        *(rf"\input{{tables/{one}}}" for one in tables),
        r"\clearpage",
        *(rf"\input{{column/{one}}}" for one in figures),
        r"\clearpage",
        *(rf"\input{{full/{one}}}" for one in figures),
    ]
    return "\n".join(
        [
            _MARK,
            r"\documentclass[10pt,twocolumn]{article}",
            rf"\usepackage[letterpaper,textwidth={width:g}in,textheight=9.2in,columnsep={GAP:g}in]"
            r"{geometry}",
            _PACKAGES,
            rf"\title{{{escape(name)}}}\author{{}}\date{{}}",
            r"\begin{document}",
            r"\maketitle",
            r"\section*{Methods}",
            r"\input{methods}",
            r"\clearpage",
            *inputs,
            r"\end{document}",
            "",
        ]
    )
