"""The figure of what certified risk buys: which lines, what they are called, and where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking.analysis.speedup import CEILING, COIN_FLIP, COLUMNS
from sport_ray.tracking.figures.apart import apart
from sport_ray.tracking.figures.speedup import draw_speedup
from sport_ray.tracking.figures.speedup_lines import MAX_LINES, shown_kinds
from sport_ray.tracking.figures.style import look
from sport_ray.tracking.results.labels import series_and_kind_text

SERIES = (
    "projected_ppo", "projected_at_deployment", "selection:critic", "selection:critic_iterated",
    "selection:task_density", "selection:projected_ppo_selection",
)  # fmt: skip


def table(series=SERIES, levels=(0.05, 0.1, 0.2), kinds=("ratio", "gauss_renyi", "pathwise")):
    rng = np.random.default_rng(0)
    rows = []
    for level in levels:
        rows += [{"kind": kind, "eps_max": level, "saved": 2.0} for kind in (COIN_FLIP, CEILING)]
        for one in series:
            for kind in kinds:
                if kind == "gauss_renyi" and one.startswith("selection"):
                    continue
                saved = rng.uniform(0.1, 1.5)
                ends = {"saved": saved, "saved_low": saved - 0.05, "saved_high": saved + 0.05}
                rows.append({"kind": series_and_kind_text(one, kind), "constraint": kind,
                             "series": one, "eps_max": level, "seeds": 5, **ends})  # fmt: skip
    return pd.DataFrame([{"horizon": 21} | row for row in rows], columns=COLUMNS)


def test_of_many_lines_those_of_each_role_are_shown_whatever_they_gained():
    many = table()
    assert many["kind"].nunique() == 16
    names = set(shown_kinds(many))
    assert names == {
        CEILING, COIN_FLIP, "Selection, critic, pathwise budget",
        "Selection, critic, constant ratio", "Selection, task density, constant ratio",
        "constant ratio, Projected PPO", "Gauss–Rényi, Projected PPO",
        "pathwise budget, Projected PPO",
    }  # fmt: skip
    assert len(names) <= MAX_LINES
    assert set(shown_kinds(many.assign(saved=-many["saved"]))) == names
    few = table(series=SERIES[:2])
    assert set(shown_kinds(few)) == set(few["kind"])


@pytest.mark.parametrize("levels", [(0.05, 0.1, 0.2), (0.1,)])
def test_every_line_is_named_on_the_figure(tmp_path, levels):
    few = table(series=("projected_ppo", "selection:critic"), levels=levels)
    with look():
        drawn = draw_speedup(few, tmp_path)
    words = " ".join(drawn.svg.split())
    for word in ("coin flip", "ceiling", "Selection, critic", "pathwise budget", "Gauss–Rényi"):
        assert word in words
    assert (tmp_path / "speedup.png").stat().st_size > 10_000
    assert "more are in the table" not in drawn.caption


def test_what_is_left_out_is_counted(tmp_path):
    with look():
        drawn = draw_speedup(table(), tmp_path)
        panels = draw_speedup(pd.concat([table(), table().assign(horizon=30)]), tmp_path)
    assert drawn.caption.endswith("8 more are in the table.")
    assert "T = 30 steps" in panels.svg


LABELS = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0.03, 0.1)), min_size=1, max_size=9
).map(lambda pairs: sorted(pairs, key=lambda pair: pair[0]))  # fmt: skip


@given(LABELS)
def test_labels_never_overlap_and_stay_within(labels):
    wanted, tall = [pair[0] for pair in labels], [pair[1] for pair in labels]
    places = apart(wanted, tall)
    for i in range(1, len(places)):
        assert places[i] - places[i - 1] >= (tall[i] + tall[i - 1]) / 2 - 1e-9
    assert places[0] >= tall[0] / 2 - 1e-9
    assert places[-1] <= 1 - tall[-1] / 2 + 1e-9


def test_labels_with_room_stay_at_their_lines():
    assert apart([0.2, 0.5, 0.8], [0.1] * 3) == pytest.approx([0.2, 0.5, 0.8])
