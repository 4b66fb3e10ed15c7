"""What a browser's main thread does until a report is loaded, with and without what is unseen.

``python benchmarks/report_page.py`` makes the report of published results (850 cells) and opens it
in Debian's chromium, as it is and without ``content-visibility``, in turns. Printed: medians of the
main thread's CPU time, and their ratio. A minute.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from sport_ray.tracking import write_report
from tests.tracking.report.chromium import chromium

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "benchmark" / "point_fixed" / "smooth_0"
UNSEEN = "content-visibility: auto"


def busy_seconds(browser: Browser, page: Path) -> float:
    """CPU seconds of the main thread from the first byte of a page until it is loaded."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    meter = opened.context.new_cdp_session(opened)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    opened.goto(page.as_uri(), wait_until="load")
    metrics = meter.send("Performance.getMetrics")["metrics"]
    opened.close()
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--turns", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name) / "results"
        shutil.copytree(arguments.results, folder)
        ours = write_report(folder)
        text = ours.read_text(encoding="utf-8")
        if UNSEEN not in text:
            raise SystemExit(f"the page has no {UNSEEN}: nothing to compare with")
        whole = folder / "whole.html"
        whole.write_text(text.replace(UNSEEN, "content-visibility: visible"), encoding="utf-8")
        found: dict[Path, list[float]] = {ours: [], whole: []}
        for _ in range(arguments.turns):
            for page, seconds in found.items():
                seconds.append(busy_seconds(browser, page))
    as_seen, all_drawn = (statistics.median(seconds) for seconds in found.values())
    print(f"{len(text.encode()) / 2**20:.1f} MiB, median of {arguments.turns} loads each")
    print(f"as it is: {as_seen:.2f} s; all sections drawn: {all_drawn:.2f} s")
    print(f"ratio: {all_drawn / as_seen:.2f}")


if __name__ == "__main__":
    main()
