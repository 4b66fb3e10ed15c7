"""Reports in a real browser: Debian's chromium; without one tests are skipped, but not in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from sport_ray.tracking import write_report
from tests.tracking.conftest import write_kinds, write_study

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("there is no chromium, and CI must not skip what needs it")
        pytest.skip("there is no chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root, as in a container.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=chromium, args=options) as started:
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
