"""The pictures that the documentation shows, drawn anew from the published results: make pictures.

docs/images/monitor.png is not among them: ``benchmarks/monitor_drift.py`` draws it, from a log.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sport_ray.tracking.analysis.bases import read_bases
from sport_ray.tracking.analysis.sizes import read_sizes, what_n_buys
from sport_ray.tracking.analysis.task_policies import task_policy_table
from sport_ray.tracking.benchmark.figure import draw_leaderboard
from sport_ray.tracking.benchmark.manifest import read_manifest
from sport_ray.tracking.benchmark.profile_figure import draw_profiles
from sport_ray.tracking.figures.bases import draw_bases
from sport_ray.tracking.figures.risk import draw_risk
from sport_ray.tracking.figures.sizes import draw_sizes
from sport_ray.tracking.figures.speedup import draw_speedup
from sport_ray.tracking.figures.steps import draw_steps
from sport_ray.tracking.figures.style import Drawn, look
from sport_ray.tracking.figures.task_policies import draw_task_policies
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import table_of

DOCS = Path(__file__).parent
RESULTS = DOCS / "results"


def tables(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells and settings of published results."""
    frame = table_of(read_results(RESULTS / name))
    return frame, aggregate(frame)


def pictures(out: Path) -> Iterator[tuple[Drawn | None, Path]]:
    """Each figure, drawn into `out`, and the PNG that is published of it."""
    for name in ("authors_base", "paper_bang_bang"):
        frame, settings = tables(name)
        yield draw_risk(settings, frame, out), RESULTS / name / "figures" / "risk.png"
    steps = draw_steps(tables("paper_bang_bang")[1], out)
    yield steps, RESULTS / "paper_bang_bang" / "figures" / "steps_to_goal.png"
    frame, settings = tables("comparators")
    sources = draw_task_policies(task_policy_table(frame, settings), performance_of(settings), out)
    yield sources, RESULTS / "comparators" / "figures" / "task_policies.png"
    speedup = pd.read_csv(RESULTS / "selection" / "speedup.csv")
    yield draw_speedup(speedup, out), DOCS / "images" / "selection.png"
    for name, drawn in draw_bases(read_bases(RESULTS / "paper"), out).items():
        yield drawn, RESULTS / "paper" / "figures" / f"{name}.png"
    sizes = what_n_buys(read_sizes(RESULTS / "large_n"))
    yield draw_sizes(sizes, out), RESULTS / "large_n" / "figures" / "what_n_buys.png"
    bench = RESULTS / "benchmark"
    board, manifest = pd.read_csv(bench / "leaderboard.csv"), read_manifest(bench)
    spread = pd.read_csv(bench / "leaderboard_profiles.csv")
    for figure in (
        draw_leaderboard(board, manifest, out),
        draw_profiles(board, spread, manifest, out),
    ):
        assert figure is not None
        shutil.copyfile(out / f"{figure.name}.svg", bench / f"{figure.name}.svg")
        yield figure, bench / f"{figure.name}.png"


def main() -> None:
    """Draw all of them."""
    with tempfile.TemporaryDirectory() as name, look():
        for drawn, published in pictures(Path(name)):
            assert drawn is not None, published
            shutil.copyfile(Path(name) / f"{drawn.name}.png", published)
            print(published.relative_to(DOCS))


if __name__ == "__main__":
    main()
