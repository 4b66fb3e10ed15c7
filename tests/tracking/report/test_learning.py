"""Learning curves on the page: drawn by its script, chosen by the reader, absent where none are."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from sport_ray.tracking import write_report
from sport_ray.tracking.report.learning import AT_FIRST, TITLES
from tests.tracking.conftest import write_kinds, write_study
from tests.tracking.learning_files import write_curves
from tests.tracking.report.chromium import chromium


def test_a_study_without_curves_has_no_such_section(tmp_path: Path) -> None:
    page = write_report(write_study(tmp_path)).read_text()
    assert "Learning curves" not in page
    assert 'id="learning' not in page


def test_a_damaged_file_is_named_on_the_page(tmp_path: Path) -> None:
    folder = write_study(tmp_path)
    write_curves(folder)
    next(folder.glob("cells/*/training.json")).write_text('{"iteration": "<b>"}')
    page = write_report(folder).read_text()
    assert "damaged file cells/" in page


def lines(page: Page) -> dict[str, int]:
    """Lines that are drawn, by the panel's title."""
    return {
        figure.locator("h3").text_content() or "": figure.locator("path.line").count()
        for figure in page.locator("#learning-panels figure").all()
        if figure.is_visible()
    }


@pytest.mark.slow
def test_curves_are_drawn_chosen_and_follow_the_chart(tmp_path: Path) -> None:
    folder = write_kinds(tmp_path)
    write_curves(folder)
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(write_report(folder).as_uri())
        first = lines(page)
        assert first.keys() <= {*TITLES.values()}
        assert first["Return"] == AT_FIRST
        names = page.locator("#learning-legend li").all_text_contents()
        assert len({*names}) == AT_FIRST
        assert all("(3 seeds)" in name for name in names)
        numbers = page.locator("#learning-panels figure").first.locator("text.number")
        assert sorted(numbers.all_text_contents()) == [str(n + 1) for n in range(AT_FIRST)]
        boxes = [one.bounding_box() for one in numbers.all()]
        tops = sorted(box["y"] for box in boxes if box)
        assert all(b - a > 7 for a, b in itertools.pairwise(tops))  # none over another
        label = page.locator("#learning-panels svg").first.get_attribute("aria-label") or ""
        assert label.startswith("Return at the end of training. ")

        page.locator("#learning-settings summary").click()
        page.locator("[data-learning=none]").click()
        assert lines(page) == {}
        assert page.locator("#learning-missing").text_content() == "No setting is chosen."
        page.locator("#learning-settings input").nth(7).check()
        assert lines(page)["Return"] == 1
        page.locator("[data-learning=first]").click()
        assert lines(page) == first

        point = page.locator(".chart .point").first
        setting = point.get_attribute("data-setting")
        point.press("Enter")
        assert lines(page)["Return"] == 1
        checked = page.locator("#learning-settings input:checked")
        assert setting in (checked.get_attribute("data-settings") or "").split()
        point.press("Enter")
        assert lines(page) == first
    assert complaints == []


def test_the_data_are_few_numbers(tmp_path: Path) -> None:
    folder = write_kinds(tmp_path)
    write_curves(folder, points=64)
    page = write_report(folder).read_text()
    text = page.split('id="learning-data">', 1)[1].split("</script>", 1)[0]
    data = json.loads(text)
    assert len(text) / len(data) < 15_000  # of a setting
