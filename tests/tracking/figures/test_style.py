"""Saving figures, and an axis of alpha that can be read."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sport_ray.tracking.figures.style import (
    alpha_axis,
    look,
    new_figure,
    save,
    say_example,
    say_few_seeds,
)


@pytest.mark.parametrize(
    "alphas",
    [
        [1, 1.05, 1.1, 1.2, 1.35, 1.5, 2, 3, 5, 10, 20, 50, 100],
        [1, 1.1, 1.25, 1.5, 3, 10],
        [1.0],
        [1.01, 1.02],
    ],
)
@pytest.mark.parametrize("unconstrained", [True, False])
def test_ticks_are_values_that_were_run_and_have_room(
    alphas: list[float], unconstrained: bool
) -> None:
    _, grid = new_figure(4, 3)
    axes = grid[0][0]
    place = alpha_axis(axes, np.array(alphas), unconstrained)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    ticks = axes.get_xticks()
    assert f"{alphas[0]:g}" in labels
    assert ("none" in labels) == unconstrained
    assert {float(label) for label in labels if label != "none"} <= set(alphas)
    left, right = np.log(axes.get_xlim())
    assert left < np.log(alphas[0])
    assert np.log(alphas[-1]) < right
    assert np.log(place) < right or not unconstrained
    assert (np.diff(np.sort(np.log(ticks))) > 0.05 * (right - left)).all()


def test_saving_twice_gives_the_same_bytes_and_leaves_the_look_alone(tmp_path: Path) -> None:

    def settings() -> dict[str, object]:
        # Looking the backend up chooses one, which no figure here does.
        return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}

    before = settings()

    def draw(folder: Path) -> list[bytes]:
        with look():
            figure, grid = new_figure(3, 2)
            grid[0][0].plot([1, 2], [3, 4], "o-", label="α")
            grid[0][0].legend()
            text = save(figure, folder, "one", "One", "").svg
        assert (folder / "one.svg").read_text() == text
        return [(folder / f"one.{suffix}").read_bytes() for suffix in ("png", "svg")]

    assert draw(tmp_path / "a") == draw(tmp_path / "b")
    assert settings() == before


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([2, 2], ""),
        ([1], "1 seed: too few for an interval"),
        ([1, 2], "1 to 2 seeds: too few for an interval, in places"),
        ([2, 5], ""),
        ([3, 5], ""),
        ([], ""),
    ],
)
def test_few_seeds_are_said_on_the_figure(counts: list[int], said: str) -> None:
    figure, _ = new_figure(4, 3)
    say_few_seeds(figure, pd.Series(counts, dtype=int))
    assert figure.get_suptitle() == said


def test_an_example_is_called_one() -> None:
    figure, _ = new_figure(3, 3)
    say_example(figure)
    assert figure.get_suptitle() == "an example: one training seed"
