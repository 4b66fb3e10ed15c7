"""The animation: which policies, small, the same bytes, and with its last picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.figures import Animation, animate
from sport_ray.tracking.figures.animation import (
    FRAMES_PER_STEP,
    MAX_BYTES,
    PANEL_CHARACTERS,
    _until,
    _wrapped,
)
from sport_ray.tracking.figures.palette import INK, KINDS, PAPER, VIOLATION
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import results_table
from tests.tracking.conftest import make_samples, write_kinds, write_study


def animation_of(path: Path) -> Animation | None:
    folder = read_results(path)
    frame = results_table(folder.records)
    settings = aggregate(frame)
    return animate(folder, frame, settings, answer_study(settings, folder.certificate))


def give_all_samples(folder: Path) -> Path:
    for file in folder.glob("cells/*/record.json"):
        np.savez_compressed(file.parent / "samples.npz", **make_samples(1.1, 21, 0, scenarios=20))
    return folder


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return give_all_samples(write_kinds(tmp_path_factory.mktemp("animation"), seeds=(0, 1, 2)))


@pytest.fixture(scope="module")
def animation(kinds: Path) -> Animation:
    found = animation_of(kinds)
    assert found is not None
    return found


def test_a_short_small_gif_that_repeats(animation: Animation, kinds: Path) -> None:
    assert animation.gif == (kinds / "figures" / "animation.gif").read_bytes()
    assert len(animation.gif) <= MAX_BYTES
    image = Image.open(io.BytesIO(animation.gif))
    durations = []
    for index in range(image.n_frames):
        image.seek(index)
        durations.append(image.info["duration"])
    lengths = np.isfinite(make_samples(1.1, 21, 0, scenarios=20)["poses"][..., 0]).sum(axis=1) - 1
    assert image.n_frames == FRAMES_PER_STEP * lengths.max() + 1
    assert 2_000 < sum(durations) < 8_000
    assert image.info["loop"] == 0


def test_three_policies_for_a_budget_and_one_seed_is_said(animation: Animation) -> None:
    still = Image.open(io.BytesIO(animation.still))
    assert still.width / still.height > 1.2
    assert "one seed, no interval" in animation.caption
    assert "T = 21, seed 0" in animation.caption


def test_colours_survive_the_palette(animation: Animation) -> None:
    """Goal and hazard are a few thin lines: a palette by frequency would drop them."""
    image = Image.open(io.BytesIO(animation.gif))
    image.seek(image.n_frames - 1)
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    for name in (KINDS["blue"], KINDS["gold"], VIOLATION, INK, PAPER):
        exact = tuple(int(name[i : i + 2], 16) for i in (1, 3, 5))
        nearest = min(max(abs(a - b) for a, b in zip(exact, c, strict=True)) for c in colours)
        assert nearest <= 12, name


def test_the_same_samples_give_the_same_bytes(animation: Animation, kinds: Path) -> None:
    assert animation_of(kinds) == animation


def test_without_samples_there_is_none_and_an_old_one_goes(kinds: Path, tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0, 1.1), horizons=(21,), seeds=(0,))
    (folder / "figures").mkdir()
    (folder / "figures" / "animation.gif").write_bytes(b"old")
    assert animation_of(folder) is None
    assert not (folder / "figures" / "animation.gif").exists()


def test_of_fewer_scenarios_than_there_is_room_for_so_many_are_shown(tmp_path: Path) -> None:
    folder = write_kinds(tmp_path, seeds=(0, 1, 2))
    few = make_samples(1.1, 21, 0, scenarios=20)
    few["poses"][3:] = np.nan
    for file in folder.glob("cells/*/record.json"):
        np.savez_compressed(file.parent / "samples.npz", **few)
    found = animation_of(folder)
    assert found is not None
    assert found.caption.startswith("The same first 3 evaluation scenarios")


def test_between_two_steps_a_path_ends_between_them_and_then_stays() -> None:
    path = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 2.0], [np.nan, np.nan]])
    assert _until(path, 0.5).tolist() == [[0, 0], [0.5, 1]]
    assert _until(path, 1.0)[-1].tolist() == [1, 2]
    assert _until(path, 9.0).tolist() == [[0, 0], [1, 2], [3, 2]]


def test_what_stands_above_a_panel_keeps_to_its_width() -> None:
    name = (
        "Selection, iterated critic, pathwise budget, ε_max = 0.1\ncertified risk 0.1, 12.34 steps"
    )
    lines = _wrapped(name).split("\n")
    assert " ".join(lines) == " ".join(name.split("\n"))
    assert max(map(len, lines)) <= PANEL_CHARACTERS
    assert "certified risk 0.1, 12.34 steps" in lines
