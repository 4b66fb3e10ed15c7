"""The report in a real browser: what a reader sees, hears from the keyboard, and downloads.

Needs Debian's chromium. Without one the tests are skipped, but not in CI (``CI`` is set), where
they fail. Screenshots go to ``CI_ARTIFACTS``, or to build/screenshots.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator

from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.pareto import RISK_KINDS, candidates
from sport_ray.tracking.report.printed import MOST
from sport_ray.tracking.results.statistics import aggregate
from tests.tracking.conftest import write_study
from tests.tracking.report.conftest import Open

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
SHOWN = "#cells tbody tr:not([hidden])"
# Of each visible text: its contrast to what is behind it, as WCAG defines it.
CONTRAST = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * under[i]);
  const luminance = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    if (!element) return rgba("white");
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !element.getClientRects().length || element.closest("script, style")) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const ink = rgba(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [luminance(over(ink, ground)), luminance(ground)];
    found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}"""


def settings_of(folder: Path) -> pd.DataFrame:
    return aggregate(load_results(folder))


def test_points_are_the_settings_of_the_csv(open_page: Open, study: Path, kinds: Path) -> None:
    for folder in (study, kinds):
        page = open_page(folder)
        cells = pd.read_csv(folder / "cells.csv").set_index("cell_id")
        front = pd.read_csv(folder / "pareto.csv")
        rows = page.locator("#cells tbody tr").evaluate_all(
            "rows => rows.map(r => [r.dataset.setting, r.querySelector('code').textContent])"
        )
        assert sorted(cell for _, cell in rows) == sorted(cells.index)
        for kind in RISK_KINDS:
            points = page.locator(f'.chart[data-risk="{kind}"] .point').evaluate_all(
                "points => points.map(p => ({setting: p.dataset.setting, y: "
                "p.querySelector('.halo').cy.baseVal.value, front: "
                "p.classList.contains('on-front'), says: p.getAttribute('aria-label')}))"
            )
            assert len(points) == len(candidates(settings_of(folder), kind)) > 1
            assert sum(p["front"] for p in points) == (front["risk_kind"] == kind).sum()
            means = []
            for point in points:
                mine = cells.loc[[cell for at, cell in rows if at == point["setting"]]]
                mine = mine[mine["status"] == "finished"]
                means.append(mine["mean_steps_to_goal"].mean())
                assert f"{means[-1]:.2f} steps to goal" in point["says"]
                assert all(cell[:8] in point["says"] for cell in mine.index)
            y = np.array([point["y"] for point in points])
            straight = np.polyval(np.polyfit(means, y, 1), means)
            assert np.abs(straight - y).max() <= 0.06  # coordinates have one decimal


def test_the_table_has_the_numbers_of_the_csv(open_page: Open, study: Path) -> None:
    page = open_page(study)
    cells = pd.read_csv(study / "cells.csv").set_index("cell_id")
    headers = page.locator("#cells th").all_text_contents()
    columns = {
        "α": "alpha", "T": "horizon", "seed": "seed", "prior bound": "prior_bound",
        "posterior bound": "posterior_bound", "violations": "num_violations",
        "observed rate": "empirical_violation_rate", "steps to goal": "mean_steps_to_goal",
        "max log ratio": "max_log_ratio", "log α": "log_alpha",
    }  # fmt: skip
    rows = page.locator("#cells tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.cells].map(c => c.dataset.value ?? c.textContent.trim()))"
    )
    places = {name: [h.strip() for h in headers].index(label) for label, name in columns.items()}
    assert len(rows) == len(cells) == 52
    for row in rows:
        cell = cells.loc[row[-1]]
        for name, place in places.items():
            shown = float(row[place]) if row[place] else np.nan
            assert shown == cell[name] or (np.isnan(shown) and np.isnan(cell[name])), name


def at_mark(point: Locator) -> tuple[float, float]:
    """The middle of a point's mark in the window, scrolled into it."""
    point.scroll_into_view_if_needed()
    box = point.locator(".mark").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_mouse_shows_the_point_that_is_nearest(open_page: Open, kinds: Path) -> None:
    page = open_page(kinds)
    points = page.locator('.chart[data-risk="empirical_violation_rate"] .point')
    places = [at_mark(point) for point in points.all()]
    alone = [places.count(place) == 1 for place in places]
    assert sum(alone) > 10
    for point, only in zip(points.all(), alone, strict=True):
        if only:
            page.mouse.move(*at_mark(point))
            name, *rest = str(point.get_attribute("aria-label")).split("\n")
            assert page.locator("#tip b").inner_text() == name
            assert all(line in page.locator("#tip").inner_text() for line in rest)
    page.mouse.move(0, 0)
    assert not page.locator("#tip").is_visible()


def test_a_click_opens_and_another_undoes_it(open_page: Open, study: Path) -> None:
    page = open_page(study)
    point = page.locator('.chart[data-risk="posterior_bound"] .point').last
    page.mouse.click(*at_mark(point))
    setting = point.get_attribute("data-setting")
    shown = page.locator(SHOWN).count()
    assert 0 < shown < 52
    assert shown == page.locator(f'{SHOWN}[data-setting="{setting}"]').count()
    assert page.locator("#shown").text_content() == f"{shown} of 52 cells shown"
    assert point.get_attribute("aria-pressed") == "true"
    assert page.locator("#drawer").is_visible()
    page.mouse.click(*at_mark(point))
    assert page.locator(SHOWN).count() == 52
    assert not page.locator("#drawer").is_visible()
    page.mouse.click(*at_mark(point))
    page.get_by_role("button", name="Show all").click()
    assert page.locator(SHOWN).count() == 52
    assert not page.get_by_role("button", name="Show all").is_visible()


def test_the_boxes_filter_charts_and_table(open_page: Open, study: Path, kinds: Path) -> None:
    page = open_page(study)
    visible = page.locator('.chart .point[data-horizon="30"]:visible')
    before = visible.count()
    assert before > 0
    page.get_by_role("checkbox", name="30").uncheck()
    assert visible.count() == 0
    cells = pd.read_csv(study / "cells.csv")
    assert page.locator(SHOWN).count() == (cells["horizon"] != 30).sum()
    page.get_by_role("checkbox", name="Projected PPO").uncheck()
    left = cells[(cells["horizon"] != 30) & (cells["source"] != "projected_ppo")]
    assert page.locator(SHOWN).count() == len(left)
    page.get_by_role("button", name="Show all").click()
    assert visible.count() == before
    assert page.locator(SHOWN).count() == len(cells)

    page = open_page(kinds)
    page.get_by_role("checkbox", name="pathwise budget").uncheck()
    cells = pd.read_csv(kinds / "cells.csv")
    assert page.locator(SHOWN).count() == (cells["constraint"] != "pathwise").sum() < len(cells)


def test_columns_sort_both_ways_with_missing_values_last(open_page: Open, study: Path) -> None:
    page = open_page(study)
    cells = pd.read_csv(study / "cells.csv").set_index("cell_id")
    for label, name in (("prior bound", "prior_bound"), ("steps to goal", "mean_steps_to_goal")):
        button = page.locator("#cells th button", has_text=label)
        for direction, sign in (("ascending", 1), ("descending", -1)):
            button.click()
            assert button.locator("..").get_attribute("aria-sort") == direction
            ids = page.locator("#cells tbody tr code").all_inner_texts()
            values = cells.loc[ids, name].to_numpy()
            known = values[np.isfinite(values)]
            assert np.isnan(values[len(known) :]).all()
            assert 0 < len(known) < len(values)
            assert (np.diff(sign * known) >= 0).all()


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    open_page: Open, study: Path
) -> None:
    page = open_page(study)
    stops = []
    for _ in range(160):
        page.keyboard.press("Tab")
        stop = page.evaluate("""() => {
          const one = document.activeElement;
          const ring = getComputedStyle(one.querySelector(".halo") ?? one);
          const seen = (one.matches(".point") ? ring.stroke : ring.outlineStyle) !== "none";
          return [one.tagName, one.id || one.getAttribute("data-setting") || one.textContent.trim()
            || one.value, seen];
        }""")
        if stop[0] == "BODY":
            break
        stops.append(stop)
    assert all(seen for *_, seen in stops), stops
    tags = [tag for tag, *_ in stops]
    assert stops[0][1] == "Skip to the answer"
    assert tags.count("g") == 3  # each chart is one stop
    assert tags.count("INPUT") == page.locator("fieldset input").count() == 9
    assert tags.count("SELECT") == 1
    maps, values = page.locator(".heat"), page.locator(".heat button")
    assert maps.count() == 6  # each is one stop, too
    buttons = page.locator("button:visible").count() - values.count() + maps.count()
    assert tags.count("BUTTON") == buttons
    cells = page.locator("#cells a").count()  # one stop for all of them
    assert tags.count("A") == page.locator("a[href]:visible").count() - cells + 1
    focused = page.locator(".chart .point:focus")
    chart = page.locator('.chart[data-risk="posterior_bound"]')
    chart.locator('.point[tabindex="0"]').focus()
    page.keyboard.press("Home")
    visited = [focused.get_attribute("data-setting")]
    for _ in range(chart.locator(".point").count() - 1):
        page.keyboard.press("ArrowRight")
        visited.append(focused.get_attribute("data-setting"))
    assert len(set(visited)) == chart.locator(".point").count()
    assert page.locator("#tip").is_visible()
    page.keyboard.press("Enter")
    assert page.locator(f'{SHOWN}[data-setting="{visited[-1]}"]').count() > 0
    assert page.locator(SHOWN).count() < 52
    assert page.locator("#drawer").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#drawer").is_visible()
    assert focused.get_attribute("data-setting") == visited[-1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(open_page: Open, study: Path, kinds: Path, scheme: str) -> None:
    for folder in (study, kinds):
        page = open_page(folder, color_scheme=scheme)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        found = page.evaluate(CONTRAST)
        assert len(found) > 500
        assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []


def test_the_two_schemes_differ(open_page: Open, study: Path) -> None:
    grounds = {
        open_page(study, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(grounds) == 2


@pytest.mark.parametrize("width", [390, 320])
def test_nothing_is_wider_than_a_phone(
    open_page: Open, study: Path, kinds: Path, width: int
) -> None:
    for folder in (study, kinds):
        page = open_page(folder, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        size = page.locator(".chart text").first.evaluate(
            "text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a"
        )
        assert size >= (9 if width == 390 else 7)


@pytest.mark.parametrize(("width", "table"), [(1024, "#best"), (390, "#drawer .scroll table")])
def test_what_is_read_first_needs_no_scrolling(
    open_page: Open, kinds: Path, width: int, table: str
) -> None:
    page = open_page(kinds, width=width)
    page.locator("#best tr:visible button.open").first.click()
    box = page.locator(table).locator("..")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_animation_stops_on_request_and_where_less_motion_is_preferred(
    open_page: Open, study: Path
) -> None:
    source = "document.getElementById('animation').currentSrc.slice(0, 15)"
    page = open_page(study)
    page.locator("#animation").scroll_into_view_if_needed()
    assert page.evaluate(source) == "data:image/gif;"
    assert page.locator("#animation").evaluate("image => image.naturalWidth") > 300
    page.get_by_role("button", name="Pause").click()
    assert page.evaluate(source) == "data:image/png;"
    page.get_by_role("button", name="Play").click()
    assert page.evaluate(source) == "data:image/gif;"
    calm = open_page(study, reduced_motion="reduce")
    assert calm.evaluate(source) == "data:image/png;"
    calm.get_by_role("button", name="Play").click()
    assert calm.evaluate(source) == "data:image/gif;"


def test_downloads_are_the_files(open_page: Open, study: Path, tmp_path: Path) -> None:
    page = open_page(study)
    for name in ("cells.csv", "pareto.csv", "hypervolume.csv"):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"Download {name}").click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes() == (study / name).read_bytes()


def test_without_scripts_all_is_still_there(open_page: Open, study: Path) -> None:
    page = open_page(study, java_script_enabled=False)
    assert page.locator("#cells tbody tr:visible").count() == 52
    assert page.locator(".chart .point:visible").count() > 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, study: Path, kinds: Path, scheme: str) -> None:
    for folder in (study, kinds):
        page = open_page(folder, color_scheme=scheme)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        for _ in ("page", "drawer"):
            found = Axe().run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
            page.locator("#best tr:visible button.open").first.click()


def test_on_paper_all_is_there_and_nothing_is_cut(open_page: Open, study: Path) -> None:
    page = open_page(study, width=1032)  # A4, landscape, within its margins
    page.emulate_media(media="print")
    for part in ("nav", ".filters", "#drawer"):
        assert not page.locator(part).first.is_visible()
    assert page.locator("#best tbody tr:visible").count() == page.locator("#best tbody tr").count()
    assert page.locator(".legend:visible").count() == 3  # of each chart, where filters are hidden
    cut = page.evaluate(
        "[...document.querySelectorAll('table, figure svg')].filter(one => one.checkVisibility()"
        " && one.getBoundingClientRect().right > innerWidth + 1)"
        ".map(one => one.closest('[aria-label], section').ariaLabel)"
    )
    assert cut == []
    broken = page.evaluate(
        "[...document.querySelectorAll('figure')].filter(one => one.checkVisibility()"
        " && getComputedStyle(one).breakInside !== 'avoid').length"
    )
    assert broken == 0
    assert page.locator("details .note").first.is_visible()  # folded on the screen
    assert page.pdf()[:4] == b"%PDF"


def test_on_paper_many_cells_are_a_row_per_setting(open_page: Open, tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0, 1.1, 10.0), seeds=tuple(range(12)))
    write_report(folder)
    page = open_page(folder, width=1032)
    printed, cells = page.locator(".printed tbody tr"), page.locator("#cells tbody tr")
    assert cells.count() > MOST
    assert (printed.filter(visible=True).count(), cells.filter(visible=True).count()) == (
        0,
        cells.count(),
    )
    page.emulate_media(media="print")
    assert printed.filter(visible=True).count() == printed.count() == len(settings_of(folder))
    assert cells.filter(visible=True).count() == page.locator("#cells tr.failed").count() == 1
    labels = [set(page.locator(f"{one} th").all_inner_texts()) for one in ("#cells", ".printed")]
    assert labels[0] - labels[1] == {"seed", "status", "cell"}
    assert page.locator("#printed-shown").inner_text() == ""
    page.emulate_media(media="screen")
    page.locator('fieldset[data-filter="method"] input').first.uncheck()
    page.emulate_media(media="print")
    left = printed.filter(visible=True).count()
    assert 0 < left < printed.count()
    assert page.locator("#printed-shown").inner_text().strip() == (
        f"Filtered: {left} of {printed.count()} settings."
    )


def test_a_first_screen_has_task_promise_answer_and_front(open_page: Open, study: Path) -> None:
    page = open_page(study, width=1440)
    for part in (".scene", ".task", "#counts", "#completeness", ".lead", ".facts", "#best thead"):
        box = page.locator(part).first.bounding_box()
        assert box is not None, part
        assert box["y"] + box["height"] <= 900, part
    words, chart = (page.locator(one).first.bounding_box() for one in (".facts", ".first .chart"))
    assert words is not None
    assert chart is not None
    assert chart["x"] > words["x"] + words["width"]  # beside, not below
    assert chart["y"] + chart["height"] <= 900
    assert page.locator(".first .better").text_content().strip() == "better"
    assert page.locator(".legend").first.is_visible()


def test_screenshots_are_kept(open_page: Open, study: Path, kinds: Path) -> None:
    folder = Path(os.environ.get("CI_ARTIFACTS") or ROOT / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    for path, scheme, width in itertools.product((study, kinds), ("light", "dark"), (1200, 390)):
        page = open_page(path, width=width, color_scheme=scheme, reduced_motion="reduce")
        file = folder / f"report-{path.name}-{scheme}-{width}.png"
        page.screenshot(path=file, full_page=True)
        assert file.stat().st_size > 50_000


def test_a_thousand_cells_open_in_two_seconds(open_page: Open, tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0, 1.1, 1.25), seeds=tuple(range(72)))
    write_report(folder)
    page = open_page(folder, width=1440)
    assert page.locator("#cells tbody tr").count() == 1008
    # Its own work, whatever else the machine does meanwhile.
    meter = page.context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload(wait_until="load")
    page.locator("#best tr:visible button.open").first.click()
    assert page.locator("#drawer").is_visible()
    metrics = meter.send("Performance.getMetrics")["metrics"]
    assert next(one["value"] for one in metrics if one["name"] == "TaskDuration") < 2
