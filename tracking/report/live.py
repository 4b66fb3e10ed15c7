"""The report page of a study that goes on: the static page with a bar and a script of its own."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sport_ray.tracking.report.templating import asset, page_environment

OPEN, CLOSED = "default-src 'none'; connect-src 'self';", "default-src 'none';"
_QUIET = "This page makes no network requests."
_LIVE = "This page asks its own server, on this machine, for what is new."


class Row(NamedTuple):
    """What an index tells of a base: state in a line, risk and headline ("" while unknown).

    page: where the base's own is. gone: it ended before its time.
    """

    name: str
    page: str
    progress: str
    finished: int
    planned: int
    gone: bool
    risk: str
    headline: str


def live_page(page: str, name: str, whole: str = "") -> str:
    """A report page (``write_report``) that looks for a newer one; name: what this one is called.

    whole: what the page above it is called, if there is one.

    Raises:
        ValueError: a page that has no place for it.
    """
    for mark in (CLOSED, "<body>", "</body>", "</head>"):
        if page.count(mark) != 1:
            raise ValueError(f"expected {mark!r} once in the page, found {page.count(mark)}")
    head, _, rest = page.replace(CLOSED, OPEN).replace(_QUIET, _LIVE).partition("<body>")
    bar = page_environment().get_template("live.html.j2").render(whole=whole)
    tail = f'<script data-page="{html.escape(name)}" id="live-script">{asset("live.js")}</script>\n'
    head = head.replace("</head>", f"<style>{asset('live.css')}</style>\n</head>")
    return f"{head}<body>\n{bar}\n{rest.replace('</body>', f'{tail}</body>')}"


def waiting_page(study: str, whole: str = "", cells: int = 0) -> str:
    """The page for as long as there is no report: what goes on, and how far that is.

    cells: those that have a record, whose report is being made.
    """
    page = (
        page_environment()
        .get_template("waiting.html.j2")
        .render(study=study, cells=cells, css=asset("report.css"))
    )
    return live_page(page, "", whole)


def index_page(study: str, of: str, rows: Sequence[Row], name: str) -> str:
    """The page of a study over several bases while it goes on; of: "bases" or "sizes"."""
    page = (
        page_environment()
        .get_template("index.html.j2")
        .render(study=study, of=of, rows=rows, css=asset("report.css"))
    )
    return live_page(page, name)


def answer_in(root: Path) -> tuple[str, str]:
    """What the base of a result folder was certified with, and the folder's answer in a sentence.

    Raises:
        UserError: no results, or damaged ones.
    """
    from sport_ray.tracking.analysis.answer import answer_study  # pandas takes a second
    from sport_ray.tracking.report.overview import base_text
    from sport_ray.tracking.results.records import read_results
    from sport_ray.tracking.results.refutation import headline
    from sport_ray.tracking.results.statistics import aggregate
    from sport_ray.tracking.results.table import table_of

    folder = read_results(root)
    frame = table_of(folder)
    horizons = sorted({int(one) for one in frame["horizon"].dropna()})
    risk = "" if folder.certificate is None else base_text(folder.certificate, horizons)
    if refuted := headline(folder.refutations):
        return risk, refuted
    return risk, answer_study(aggregate(frame), folder.certificate, folder.base_at).sentence
