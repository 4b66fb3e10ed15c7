"""Reports in a real browser: Debian's chromium; without one tests are skipped, but not in CI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from sport_ray.tracking import write_report
from tests.tracking.conftest import write_kinds, write_study
from tests.tracking.report.chromium import chromium

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each file: a process has one playwright at a time."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two T, both methods, trajectories, one failed cell."""
    folder = write_study(tmp_path_factory.mktemp("browser"), samples=True)
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four kinds of constraint at one T."""
    folder = write_kinds(tmp_path_factory.mktemp("browser-kinds"))
    write_report(folder)
    return folder


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """`open_page(folder, width=, **context)` -> the report, which must not complain or load."""
    complaints: list[str] = []
    contexts = []

    def open_it(folder: Path, width: int = 1200, **options: object) -> Page:
        options = {"viewport": {"width": width, "height": 900}, "color_scheme": "light"} | options
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(0)  # pytest's is the only limit
        page = context.new_page()
        address = (folder / "report.html").as_uri()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.split("#")[0] == address or request.url.startswith("data:")
                else complaints.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
