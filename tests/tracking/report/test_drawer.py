"""The drawer: a setting in place, by mouse, keyboard and address."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

from tests.tracking.report.conftest import Open

pytestmark = pytest.mark.slow


def first_cells(folder: Path) -> pd.Series:
    cells = pd.read_csv(folder / "cells.csv")
    return cells[(cells["alpha"] == 1.1) & (cells["source"] == "projected_ppo")].iloc[0]


def wait_for_hash(page: Page, expected: str) -> None:
    """A dialog tells of its closing some time after it, and `page.url` follows later still."""
    page.wait_for_function("expected => location.hash === expected", arg=expected)


def test_a_row_opens_it_escape_closes_it_and_focus_comes_back(open_page: Open, study: Path) -> None:
    page = open_page(study)
    row = page.locator("#best tr:visible button.open").first
    row.focus()
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    assert drawer.is_visible()
    assert page.evaluate("document.activeElement.id") == "drawer-title"
    assert row.inner_text() in page.locator("#drawer-title").inner_text()
    assert page.locator("#best tr.picked").count() >= 1
    page.keyboard.press("Escape")
    assert not drawer.is_visible()
    assert page.evaluate("document.activeElement.className") == "open"
    wait_for_hash(page, "")


def test_an_address_opens_the_cell_with_its_numbers_and_command(
    open_page: Open, study: Path
) -> None:
    page = open_page(study)
    cell = first_cells(study)
    page.goto(f"{page.url}#cell-{cell['cell_id']}")
    drawer = page.locator("#drawer")
    drawer.wait_for()
    row = drawer.locator(f'tr[data-cell="{cell["cell_id"]}"]')
    assert "leads" in str(row.get_attribute("class"))
    assert f"{int(cell['num_violations'])} / {int(cell['num_scenarios'])}" in row.inner_text()
    assert (
        float(row.locator("td[title]").first.get_attribute("title") or "nan")
        == (cell["mean_steps_to_goal"])
    )
    command = drawer.locator(".command").inner_text()
    assert command == (
        f"sport-ray export {cell['cell_id']} --results . --out policy-{cell['cell_id'][:8]}"
    )
    other = drawer.locator("tbody tr:not(.leads) a").first
    address = str(other.get_attribute("href"))
    other.click()
    wait_for_hash(page, address)
    assert drawer.locator(".command").inner_text() != command
    assert drawer.locator(".scene path").count() > 10  # seed 0 kept its trajectories


def test_a_failed_seed_is_there_with_its_reason(open_page: Open, study: Path) -> None:
    page = open_page(study)
    cells = pd.read_csv(study / "cells.csv").set_index("status")
    page.goto(f"{page.url}#cell-{cells.loc['failed', 'cell_id']}")
    page.locator("#drawer").wait_for()
    assert "worker died: out of memory" in page.locator("#drawer").inner_text()
    assert str(cells.loc["failed", "cell_id"]) not in page.locator("#drawer .command").inner_text()


def test_the_parts_of_the_gap_multiply_to_it(open_page: Open, study: Path) -> None:
    page = open_page(study)
    page.locator("#best tr:visible button.open").first.click()
    assert "the promise is" in page.locator("#drawer").inner_text()
    assert page.locator("#drawer .parts tr").count() == 0  # these records have no path's ratio


def test_what_is_brushed_lights_up_everywhere(open_page: Open, study: Path) -> None:
    page = open_page(study)
    row = page.locator("#best tbody tr:visible").first
    setting = row.get_attribute("data-setting")
    row.hover()
    lit = page.locator(".near").evaluate_all("all => all.map(one => one.dataset.setting)")
    assert set(lit) == {setting}
    assert page.locator(".chart .point.near").count() == 3
    assert page.locator("#cells tr.near").count() == 2


def test_risk_and_status_filter(open_page: Open, study: Path) -> None:
    page = open_page(study)
    cells = pd.read_csv(study / "cells.csv")
    shown = page.locator("#cells tbody tr:not([hidden])")
    page.locator("#risk-limit").select_option("0.1")
    assert shown.count() == (cells["prior_bound"] <= 0.1).sum()
    page.locator("#risk-limit").select_option("")
    page.get_by_role("checkbox", name="finished").uncheck()
    assert shown.count() == 1
    assert page.locator(".chart .point:visible").count() == 0


def test_all_rows_of_the_answer_are_one_click_away(open_page: Open, kinds: Path) -> None:
    page = open_page(kinds)
    rows = page.locator("#best tbody tr:visible")
    brief = rows.count()
    page.locator("#more").click()
    assert rows.count() == page.locator("#best tbody tr").count() > brief
    assert page.locator("#more").get_attribute("aria-expanded") == "true"
    page.locator("#more").click()
    assert rows.count() == brief


def test_on_a_phone_it_is_all_there_is(open_page: Open, study: Path) -> None:
    page = open_page(study, width=390)
    page.locator("#best tr:visible button.open").first.click()
    box = page.locator("#drawer").bounding_box()
    assert box is not None
    assert box["width"] == 390
    assert page.locator("#drawer").evaluate("one => one.matches(':modal')")
    page.keyboard.press("Escape")
    assert not page.locator("#drawer").is_visible()


def test_terms_are_explained_to_mouse_and_keyboard(open_page: Open, study: Path) -> None:
    page = open_page(study)
    term = page.locator("#answer .term", has_text="Base policy")
    term.focus()
    tip = page.locator("#tip")
    assert "whose risk was measured" in tip.inner_text()
    meaning = page.locator(f"#{term.get_attribute('aria-describedby')}").inner_text()
    assert json.dumps(meaning)[1:40] in json.dumps(tip.inner_text())
    page.keyboard.press("Escape")
    assert not tip.is_visible()
