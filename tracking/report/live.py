"""The report page of a study that goes on: the static page with a bar and a script of its own."""

from __future__ import annotations

import html

from sport_ray.tracking.report.templating import asset, page_environment

OPEN, CLOSED = "default-src 'none'; connect-src 'self';", "default-src 'none';"
_QUIET = "This page makes no network requests."
_LIVE = "This page asks its own server, on this machine, for what is new."


def live_page(page: str, name: str) -> str:
    """A report page (``write_report``) that looks for a newer one; name: what this one is called.

    Raises:
        ValueError: a page that has no place for it.
    """
    for mark in (CLOSED, "<body>", "</body>", "</head>"):
        if page.count(mark) != 1:
            raise ValueError(f"expected {mark!r} once in the page, found {page.count(mark)}")
    head, _, rest = page.replace(CLOSED, OPEN).replace(_QUIET, _LIVE).partition("<body>")
    bar = page_environment().get_template("live.html.j2").render()
    tail = f'<script data-page="{html.escape(name)}" id="live-script">{asset("live.js")}</script>\n'
    head = head.replace("</head>", f"<style>{asset('live.css')}</style>\n</head>")
    return f"{head}<body>\n{bar}\n{rest.replace('</body>', f'{tail}</body>')}"


def waiting_page(study: str) -> str:
    """The page of a study without a finished cell: what is being started, and how far that is."""
    page = (
        page_environment()
        .get_template("waiting.html.j2")
        .render(study=study, css=asset("report.css"))
    )
    return live_page(page, "")
