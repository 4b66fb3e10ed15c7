"""The live page in a real browser: it becomes current by itself, and loses nothing of the reader's.

Needs Debian's chromium, as tests/tracking/report/test_browser.py does.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from sport_ray.experiments.live import pages as pages_module
from sport_ray.experiments.live import site as site_module
from sport_ray.experiments.live.present import Present
from sport_ray.experiments.live.server import WatchServer
from sport_ray.experiments.live.site import Site
from sport_ray.experiments.results.process import process_identity
from tests.tracking.conftest import write_study
from tests.tracking.report.chromium import chromium

pytestmark = pytest.mark.slow
WAIT = 280_000
"""ms; a page is made in seconds on a machine that has nothing else to do."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(pages_module, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(pages_module, "SHARE", 1.0)


class Watch:
    """A folder that is watched, whose server can go and come back."""

    late: Path

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port: int | None = None
        self.start()

    def start(self) -> None:
        self.site = Site(self.folder)
        self.server = WatchServer(self.site, self.port)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.site.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.site.close()


@pytest.fixture
def watch(tmp_path: Path, brisk: None) -> Iterator[Watch]:
    """A sweep that is running, all but one of its cells done; the last lies beside it."""
    whole = write_study(tmp_path)
    folder = tmp_path / "sweep"
    shutil.copytree(whole, folder)
    cells = sorted(path.name for path in (folder / "cells").iterdir())
    finished = [
        cell
        for cell in cells
        if json.loads((whole / "cells" / cell / "record.json").read_text())["status"] == "finished"
    ]
    (folder / "cells" / finished[-1]).rename(tmp_path / finished[-1])
    (folder / "plan.json").write_text(json.dumps({"cells": cells, "jobs": []}))
    start = {
        "time": "2026-03-02T10:00:00+00:00", "event": "sweep started", "cell_id": None,
        **process_identity(), "planned": len(cells), "study": "s",
    }  # fmt: skip
    (folder / "ledger.jsonl").write_text(json.dumps(start) + "\n")
    found = Watch(folder)
    found.late = tmp_path / finished[-1]
    yield found
    found.stop()


def opened(browser: Browser, url: str, complaints: list[str]) -> Page:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((url, "data:")) else complaints.append(request.url)
        ),
    )
    page.goto(url)
    return page


def colour(place: Locator) -> str:
    return str(place.evaluate("node => getComputedStyle(node).color"))


def test_it_becomes_current_and_keeps_what_the_reader_set(browser: Browser, watch: Watch) -> None:
    complaints: list[str] = []
    page = opened(browser, watch.server.url, complaints)
    expect(page.locator("#cells")).to_be_attached(timeout=WAIT)  # from the page that waits
    expect(page.locator("#live-sentence")).to_contain_text("live: ")
    expect(page.locator("#live-sentence")).to_contain_text("1 failed")
    expect(page.locator("#live-changed")).to_contain_text("last change ")
    page.locator("#live-failed summary").click()
    expect(page.locator("#live-failed li").first).to_contain_text("worker died: out of memory")

    before = page.locator("#cells tbody tr").count()
    box = page.locator('fieldset[data-filter="horizon"] input').first
    box.uncheck()
    button = page.locator("#cells th button").nth(1)
    button.scroll_into_view_if_needed()
    button.click()
    sorted_by = page.locator("#cells th[aria-sort]").inner_text()
    kept = page.evaluate("document.getElementById('cells-section').getBoundingClientRect().top")
    page.evaluate("window.old = true")

    watch.late.rename(watch.folder / "cells" / watch.late.name)
    expect(page.locator("#cells tbody tr")).to_have_count(before + 1, timeout=WAIT)
    assert not page.evaluate("window.old")
    expect(page.locator(f"text={watch.late.name}").first).to_be_attached()
    assert not page.locator('fieldset[data-filter="horizon"] input').first.is_checked()
    assert page.locator("#cells th[aria-sort]").inner_text() == sorted_by
    now = page.evaluate("document.getElementById('cells-section').getBoundingClientRect().top")
    assert abs(now - kept) < 60  # a row more above at most
    assert page.locator("#live-failed").get_attribute("open") is not None
    assert complaints == []


def test_it_says_so_when_the_server_goes_and_comes_back_by_itself(
    browser: Browser, watch: Watch
) -> None:
    page = opened(browser, watch.server.url, [])
    expect(page.locator("#cells")).to_be_attached(timeout=WAIT)
    page.evaluate("window.old = true")
    part = page.locator("#completeness")
    expect(part).to_contain_text("So far ")
    ink, red = colour(page.locator("body")), colour(page.locator("#counts .failed"))
    assert colour(part) == ink  # a study that is at work lacks nothing yet
    assert colour(page.locator("#counts .missing")) == colour(page.locator("#counts"))
    watch.stop()
    expect(page.locator("#live")).to_have_attribute("data-phase", "away", timeout=WAIT)
    expect(page.locator("#live-sentence")).to_contain_text("No answer from the server since")
    assert colour(part) == ink
    expect(page.locator("#cells")).to_be_attached()
    ledger = watch.folder / "ledger.jsonl"
    end = {"time": "2026-03-02T11:00:00+00:00", "event": "sweep ended", "cell_id": None}
    with ledger.open("a") as file:
        file.write(json.dumps(end | {"outcome": "interrupted"}) + "\n")
    watch.start()
    expect(page.locator("#live")).to_have_attribute("data-phase", "gone", timeout=WAIT)
    expect(page.locator("#live-sentence")).to_contain_text("interrupted: ")
    expect(part).to_contain_text("Only ")
    assert colour(part) == colour(page.locator("#counts .missing")) == red
    assert page.evaluate("window.old")  # the same results: the very page stays


def test_before_the_first_cell_it_says_what_is_being_started(
    browser: Browser, tmp_path: Path, brisk: None
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "study.json").write_text('{"name": "mine"}')
    present = Present(folder, "certify: scenarios", 10_000)
    watch = Watch(folder)
    try:
        page = opened(browser, watch.server.url, [])
        expect(page.locator("h1")).to_have_text("mine")
        for place in ("#waiting-now", "#live-sentence"):
            expect(page.locator(place)).to_have_text(
                "starting: certify: scenarios 0 of 10,000", timeout=WAIT
            )
        present._last = 0.0
        present.tell(2_500)
        expect(page.locator("#waiting-now")).to_contain_text("2,500 of 10,000", timeout=WAIT)
    finally:
        watch.stop()


def test_of_several_bases_the_first_page_leads_to_each_and_stays_while_one_counts(
    browser: Browser, tmp_path: Path, brisk: None
) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps({"name": "mine", "bases": ["fast", "slow"]}))
    shutil.copytree(write_study(tmp_path), folder / "fast")
    (folder / "slow").mkdir()
    (folder / "slow" / "study.json").write_text('{"name": "mine"}')
    present = Present(folder / "slow", "certify: scenarios", 10_000)
    complaints: list[str] = []
    watch = Watch(folder)
    try:
        page = opened(browser, watch.server.url, complaints)
        expect(page.locator("h1")).to_have_text("mine")
        expect(page.locator("p.lead")).to_have_count(1, timeout=WAIT)
        sentence = page.locator("#live-sentence")
        expect(sentence).to_contain_text("slow: starting: certify: scenarios 0 of 10,000")
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        page.evaluate("window.old = true")
        for done in (2_500, 5_000):
            present._last = 0.0
            present.tell(done)
            expect(sentence).to_contain_text(f"{done:,} of 10,000", timeout=WAIT)
        assert page.evaluate("window.old")  # numbers that move all the time load nothing anew
        page.get_by_role("link", name="fast").click()
        expect(page.locator("#cells")).to_be_attached(timeout=WAIT)
        page.get_by_role("link", name="All bases").click()
        expect(page.get_by_role("heading", name="slow")).to_be_visible(timeout=WAIT)
        assert complaints == []
    finally:
        watch.stop()
