"""Every figure that the package can make, of made-up studies and of the published ones."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.bases import read_bases
from sport_ray.tracking.analysis.sizes import read_sizes, what_n_buys
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.benchmark.write import write_leaderboard
from sport_ray.tracking.figures import animate, draw_figures, style
from sport_ray.tracking.figures.bases import draw_bases
from sport_ray.tracking.figures.certificate import draw_max_log_alpha
from sport_ray.tracking.figures.monitor import draw_monitor
from sport_ray.tracking.figures.sheet import Sheet
from sport_ray.tracking.figures.sizes import draw_sizes
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.records import read_results
from tests.tracking.benchmark.conftest import write_bench
from tests.tracking.conftest import write_kinds, write_sources, write_study
from tests.tracking.figures.test_monitor import course_of
from tests.tracking.figures.test_policies import with_samples

PUBLISHED = Path(__file__).parents[3] / "docs" / "results"
SHOWN = ("comparators", "limits_from_data", "selection")
"""Of the published results, those of which the documentation has pictures, or most kinds."""
MANY_SOURCES = (
    "projected_ppo", "unconstrained", "soft_actor_critic", "scpo", "presa", "ppo_lagrangian",
    "focops", "kl_ppo", "imported", "critic", "critic_iterated", "task_density",
)  # fmt: skip


@contextmanager
def noted() -> Iterator[list[tuple[str, Figure]]]:
    """Figures that are made inside, each with the module that asked for it."""
    made: list[tuple[str, Figure]] = []

    def canvas(figure: Figure) -> FigureCanvasAgg:
        frame: Any = sys._getframe(1)
        while frame.f_globals["__name__"] == style.__name__:
            frame = frame.f_back
        made.append((frame.f_globals["__name__"], figure))
        return FigureCanvasAgg(figure)

    style.FigureCanvasAgg = canvas
    try:
        yield made
    finally:
        style.FigureCanvasAgg = FigureCanvasAgg


def _of_study(path: Path, out: Path, sheet: Sheet) -> None:
    folder = read_results(path)
    tables = tables_of(folder)
    draw_figures(folder, tables, out, sheet)
    if sheet.width is None:
        answer = answer_study(tables.settings, folder.certificate, folder.base_at)
        animate(folder, tables.frame, tables.settings, answer, out)


def _promised(record: dict[str, Any]) -> dict[str, Any]:
    """Training under a promise, of which `_courses` leaves the curves."""
    if record["projected"] and record["source"] == "projected_ppo":
        bound = 1.2 * record["train_violations"]
        record |= {"train_risk": 0.08, "train_episodes_most": 120, "train_episodes_begun": 100,
                   "train_violations_expected": 8.0, "train_violations_bound": int(20 + bound),
                   "train_violations_beta": 0.001}  # fmt: skip
    return record


def _courses(path: Path) -> Path:
    frame = load_results(path)
    for cell in frame.loc[frame["train_risk"].notna(), "cell_id"]:
        curves = {"iteration": [1, 2, 3], "env_steps": [800, 1_400, 2_000],
                  "episodes_begun": [40, 70, 100], "violations": [2, 3, 7]}  # fmt: skip
        ResultFolder(path).training(cell).write_text(json.dumps(curves))
    return path


def _from_data(record: dict[str, Any]) -> dict[str, Any]:
    """Every rung of the ladder."""
    if record["status"] != "finished" or record["alpha"] is None:
        return record
    return record | {"off_policy_bound": 0.02 * record["alpha"], "off_policy_sample_size": 900.0}


def _long_names(record: dict[str, Any]) -> dict[str, Any]:
    text = "lr=0.0001, train_batch_size=4096" if record["seed"] else "lr=0.0003"
    return record | {"hyperparameters": text, "seed": 0}


def studies(root: Path) -> Iterator[Path]:
    """Result folders of every shape: T, kinds, sources, returns, choices, single seeds."""

    def inside(name: str) -> Path:
        path = root / name
        path.mkdir()
        return path

    many = (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    yield write_study(inside("default"), samples=True, change=_from_data)
    yield write_study(inside("one"), alphas=many, horizons=(21,), seeds=(0,), samples=True)
    yield write_study(inside("tuned"), alphas=(1.0, 1.1, 1.25), horizons=(21,), change=_long_names)
    yield write_kinds(inside("kinds"), samples=True)
    yield write_kinds(inside("level"), levels=(0.1,))
    yield write_kinds(inside("levels"), levels=(0.02, 0.05, 0.1, 0.2), seeds=(0,))
    yield _courses(write_sources(inside("sources"), _promised))
    yield write_sources(inside("all"), sources=MANY_SOURCES)
    chosen = write_sources(inside("chosen"), sources=("critic",), seeds=(0,))
    with_samples(chosen, ("critic",))
    yield chosen


def _joint(out: Path) -> None:
    """What no single result folder has."""
    draw_bases(read_bases(PUBLISHED / "paper"), out)
    draw_sizes(what_n_buys(read_sizes(PUBLISHED / "large_n")), out)
    write_leaderboard(shutil.copytree(PUBLISHED / "benchmark", out / "leaderboard"))
    for number, (calm, wild) in enumerate([(300, 60), (300, 0), (20, 400), (1, 0)]):
        draw_monitor(course_of(calm, wild), out / f"monitor_{number}.png")
    certificate = read_results(PUBLISHED / "paper" / "paper_0").certificate
    assert certificate is not None
    with style.look():
        for levels in ((0.1,), (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)):
            none = pd.DataFrame({"horizon": []})
            draw_max_log_alpha(certificate, none, out, levels, alpha_p=1.001)


def draw_all(root: Path, sheet: Sheet, only: str = "") -> list[tuple[str, str, Figure]]:
    """All figures as (what of, module, figure). only: part of the name of what they are of."""
    found: list[tuple[str, str, Figure]] = []

    def note(name: str, draw: Callable[[], object]) -> None:
        with noted() as made:
            draw()
        found.extend((name, module, figure) for module, figure in made)

    for path in (*studies(root), *(PUBLISHED / name for name in SHOWN)):
        name = f"{path.parent.name}/{path.name}"
        if only in name:
            note(name, partial(_of_study, path, root / "out" / name, sheet))
    if sheet.width is None and only in "joint":
        note("joint", partial(write_leaderboard, write_bench(root / "bench")))
        note("joint", partial(_joint, root / "out"))
    return found
