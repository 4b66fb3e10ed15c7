"""The page of a study over several sizes: what N buys, and the way to each report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sport_ray.tracking.analysis.sizes import COLUMNS, read_sizes, what_n_buys
from sport_ray.tracking.analysis.sizes_table import NOTE, OUT_OF_REACH, limit_text
from sport_ray.tracking.analysis.speedup_table import interval_text
from sport_ray.tracking.figures.sizes import draw_sizes
from sport_ray.tracking.report.svg import inline_svg
from sport_ray.tracking.report.templating import asset, page_environment
from sport_ray.tracking.results import labels as wording
from sport_ray.tracking.results.completeness import completeness_of
from sport_ray.tracking.results.csv_text import csv_text, write_csv
from sport_ray.tracking.results.files import write_atomically, writing
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import headline
from sport_ray.tracking.results.table import plain_rows

TABLE = "what_n_buys.csv"


def write_sizes_report(
    root: str | Path, out: str | Path | None = None
) -> tuple[Path, pd.DataFrame]:
    """Write ``report.html``, ``what_n_buys.csv`` and the figure; the page and the table.

    root: the folder of a study over several sizes. out: where to, by default into that folder.

    Raises:
        UserError: no size has results, or one cannot be read; an `out` that cannot be written to.
    """
    folders = read_sizes(Path(root))
    table = what_n_buys(folders)
    target = Path(root) if out is None else Path(out)
    with writing(target):
        figure = draw_sizes(table, target / "figures")
        write_csv(table, target / TABLE)
        environment = page_environment(
            bound=wording.bound_text,
            rate=wording.rate_text,
            interval=interval_text,
            limit=limit_text,
        )
        text = environment.get_template("sizes.html.j2").render(
            study=str((ResultFolder(Path(root)).read_study() or {})["name"]),
            sizes=[_size(name, folder) for name, folder in folders.items()],
            refuted="; ".join(filter(None, (_refuted(*one) for one in folders.items()))),
            incomplete=[
                f"{name}: {text}"
                for name, folder in folders.items()
                if (text := completeness_of(folder).sentence)
            ],
            rows=plain_rows(table),
            figure=figure
            and inline_svg(figure.svg, figure.name, f"{figure.title}. {figure.caption}"),
            caption=figure.caption if figure else "",
            note=NOTE,
            out_of_reach=OUT_OF_REACH,
            columns=COLUMNS,
            download=csv_text(table).encode(),
            css=asset("report.css"),
        )
        return write_atomically(target / "report.html", text), table


def _refuted(name: str, folder: Results) -> str:
    text = headline(folder.refutations)
    return f"{name}: {text}" if text else ""


def _size(name: str, folder: Results) -> dict[str, object]:
    certificate = folder.certificate or {}
    return {
        "num_scenarios": f"{certificate.get('num_scenarios', 0):,}",
        "beta": certificate.get("beta"),
        "cells": len(folder.records),
        "page": f"{folder.path.name}/report.html",
    }
