"""Saving figures, and an axis of alpha that can be read."""

from __future__ import annotations

import itertools
import re
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from sport_ray.tracking.figures.style import (
    KIND_COLOURS,
    METHOD_COLOURS,
    SOURCE_COLOURS,
    alpha_axis,
    look,
    new_figure,
    save,
    say_example,
    say_few_seeds,
)
from sport_ray.tracking.report.svg import THEME
from sport_ray.tracking.results.task_policies import SELECTIONS


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


def _linear(colour: str) -> np.ndarray:
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = np.array(to_xyz) @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
_SEEN = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _colours(theme: str) -> dict[str, dict[Any, str]]:
    """Each group's colours in figures (light), or as the page's dark theme maps them."""
    selection = {name: SOURCE_COLOURS[name] for name in SELECTIONS}
    groups = {"methods": METHOD_COLOURS, "kinds": dict(enumerate(KIND_COLOURS))}
    groups["selection beside PPO"] = {**METHOD_COLOURS, **selection}
    groups["sources"] = SOURCE_COLOURS
    if theme == "light":
        return groups
    css = (
        resources.files("sport_ray.tracking.report")
        .joinpath("templates", "report.css")
        .read_text("utf-8")
    )
    dark = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css[css.index("dark)") :].split("\n}\n")[0]))
    variables = {light: value[6:-1] for light, value in THEME.items()}
    return {
        group: {name: dark[variables[light]] for name, light in colours.items()}
        for group, colours in groups.items()
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", list(_SEEN))
def test_colours_differ_for_every_kind_of_sight(theme: str, sight: str) -> None:
    matrix = np.array(_SEEN[sight])
    for colours in _colours(theme).values():
        seen = {name: _lab(np.clip(matrix @ _linear(c), 0, 1)) for name, c in colours.items()}
        for (p, one), (q, other) in itertools.combinations(seen.items(), 2):
            # A difference of 2.3 is just noticeable.
            assert np.linalg.norm(one - other) > 10, (p, q)
