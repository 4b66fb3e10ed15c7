"""Which methods' profiles are drawn, and that the figure goes by its tables."""

from __future__ import annotations

import pandas as pd
import pytest

from sport_ray.tracking.benchmark.manifest import Manifest, read_manifest
from sport_ray.tracking.benchmark.profile_figure import MOST, draw_profiles, profiled
from sport_ray.tracking.benchmark.tables import TAUS
from tests.tracking.benchmark.conftest import write_bench


@pytest.fixture
def about(tmp_path) -> Manifest:
    return read_manifest(write_bench(tmp_path))


def board(about: Manifest, **scores: tuple[float, int]) -> pd.DataFrame:
    """A row per method: its interquartile mean and tasks, at the main risk."""
    methods = {one.name: one for one in about.methods}
    rows = [
        {"method": name, "title": methods[name].title, "promise": methods[name].promise,
         "eps_max": about.main_level, "iqm": iqm, "tasks": tasks, "improvement": 0.5,
         "improvement_low": 0.4, "improvement_high": 0.6}
        for name, (iqm, tasks) in scores.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_best_of_each_kind_and_the_papers(about: Manifest) -> None:
    rows = board(about, fixed_alpha=(0.1, 2), at_deployment=(0.2, 2), pathwise=(0.4, 2),
                 coin_flip=(0.05, 2), unconstrained=(0.9, 1))  # fmt: skip
    # The paper's is there though another of its kind is better; one of fewer tasks is not.
    assert profiled(rows, about) == ["pathwise", "at_deployment", "fixed_alpha", "coin_flip"]
    assert len(profiled(rows, about)) <= MOST


def test_lines_are_the_table(about: Manifest, tmp_path, monkeypatch) -> None:
    rows = board(about, fixed_alpha=(0.1, 2), pathwise=(0.4, 2))
    spread = pd.DataFrame(
        {"method": name, "eps_max": about.main_level, "tau": tau, "above": float(tau < end),
         "above_low": float(tau < end), "above_high": float(tau < end)}
        for name, end in (("fixed_alpha", 0.1), ("pathwise", 0.4))
        for tau in TAUS
    )  # fmt: skip
    figures = []
    monkeypatch.setattr(
        "sport_ray.tracking.benchmark.profile_figure.style.save",
        lambda figure, *_: figures.append(figure),
    )
    draw_profiles(rows, spread, about, tmp_path)
    left, right = figures[0].axes
    lines = {line.get_label(): line for line in left.lines}
    assert list(lines) == ["pathwise", "fixed alpha"]
    assert list(lines["pathwise"].get_ydata()) == [float(tau < 0.4) for tau in TAUS]
    assert [text.get_text() for text in right.get_yticklabels()] == ["pathwise"]


def test_without_the_papers_there_is_nothing_to_compare_with(
    about: Manifest, tmp_path, monkeypatch
) -> None:
    rows = board(about, pathwise=(0.4, 1)).assign(improvement=float("nan"))
    spread = pd.DataFrame(
        {"method": "pathwise", "eps_max": about.main_level, "tau": tau, "above": float(tau < 1.35),
         "above_low": float("nan"), "above_high": float("nan")} for tau in TAUS
    )  # fmt: skip
    found = []
    monkeypatch.setattr(
        "sport_ray.tracking.benchmark.profile_figure.style.save",
        lambda figure, folder, name, title, caption: found.append((figure, caption)),
    )
    draw_profiles(rows, spread, about, tmp_path)
    ((figure, caption),) = found
    (left,) = figure.axes
    assert left.get_xlim()[1] > 1.35  # also where it falls from 1 to 0 at once
    assert "Right" not in caption


def test_without_scores_there_is_none_and_an_older_one_goes(about: Manifest, tmp_path) -> None:
    (tmp_path / "leaderboard_profiles.png").write_text("old")
    rows = board(about, fixed_alpha=(float("nan"), 0))
    assert draw_profiles(rows, pd.DataFrame(), about, tmp_path) is None
    assert not (tmp_path / "leaderboard_profiles.png").exists()
