"""What can be mixed of a study, and what is the best: on a table of known numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.sweep.mixtures import Mixed, mixtures_at, settings_at
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.tracking.results.mixtures import BEST, COIN_FLIP, SINGLE
from tests.experiments.known_certificate import certificate

STUDY = Path(__file__).parents[3] / "experiments" / "studies" / "less_conservative.yaml"
HORIZON, SLOW = 22, 15.0
SAVED = {0.05: 0.94, 0.1: 1.107, 0.2: 1.147}
"""Of learned budgets, as the published study has them; its unconstrained policy saves 1.7."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.of(load_study(STUDY), certificate())


@pytest.fixture
def frame(plan: Plan) -> pd.DataFrame:
    """Finished cells: learned budgets save, others half as much, the unconstrained policy most."""
    rows = []
    for cell in plan.cells.values():
        saved = 0.0 if cell.alpha == 1.0 else 0.5 * SAVED.get(cell.eps_max, 0.0)
        if cell.source == "projected_ppo" and cell.constraint.name == "pathwise":
            saved = SAVED[cell.eps_max]
        if isinstance(cell.constraint, Unconstrained):
            saved = 1.7
        rows.append(
            {
                "cell_id": cell.id,
                "status": "finished",
                "source": cell.source,
                "projected": cell.projected,
                "constraint": cell.constraint.name,
                "alpha": cell.alpha,
                "eps_max": cell.eps_max,
                "hyperparameters": None,
                "horizon": cell.horizon,
                "constraint_held": True,
                "mean_task_steps": SLOW + 0.01 * cell.seed - saved,
            }
        )
    return pd.DataFrame(rows)


def found(plan: Plan, frame: pd.DataFrame, eps_max: float) -> dict[str, Mixed]:
    settings = settings_at(plan, frame, HORIZON)
    return {one.kind: one for one in mixtures_at(plan, settings, HORIZON, eps_max)}


def test_the_points_are_the_studys_settings_with_base_and_unconstrained(plan, frame):
    settings = settings_at(plan, frame, HORIZON)
    eps_base = plan.certificate.eps_base(HORIZON)
    assert (settings[0].bound, settings[0].saved) == (eps_base, 0.0)
    assert settings[0].constraint.alpha == 1.0
    assert all(set(one.cells) == {0, 1, 2, 3, 4} for one in settings)
    free = [one for one in settings if isinstance(one.constraint, Unconstrained)]
    assert [one.bound for one in free] == [1.0]
    assert free[0].saved == pytest.approx(1.7)
    learned = {round(one.bound, 9): one.saved for one in settings
               if one.source == "projected_ppo" and one.constraint.name == "pathwise"}  # fmt: skip
    assert learned == pytest.approx(SAVED)


@pytest.mark.parametrize("eps_max", [0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_the_best_mixture_beats_one_setting_and_the_coin_flip(plan, frame, eps_max):
    mixed = found(plan, frame, eps_max)
    assert set(mixed) == {BEST, SINGLE, COIN_FLIP}
    assert all(one.bound <= eps_max for one in mixed.values())
    assert mixed[BEST].saved >= max(mixed[SINGLE].saved, mixed[COIN_FLIP].saved) - 1e-12
    eps_base = plan.certificate.eps_base(HORIZON)
    share = (eps_max - eps_base) / (1.0 - eps_base)
    assert mixed[COIN_FLIP].saved == pytest.approx(1.7 * share)
    assert mixed[COIN_FLIP].bound == pytest.approx(eps_max, rel=1e-12)


def test_large_risks_mix_a_budget_with_the_unconstrained_policy(plan, frame):
    mixed = found(plan, frame, 0.4)
    budget, free = mixed[BEST].settings
    assert budget.bound == pytest.approx(0.1)
    assert isinstance(free.constraint, Unconstrained)
    assert mixed[BEST].mixture.weights == pytest.approx((2 / 3, 1 / 3))
    assert mixed[BEST].saved == pytest.approx(2 / 3 * 1.107 + 1.7 / 3)
    small = found(plan, frame, 0.02)[BEST]
    assert [one.bound for one in small.settings] == pytest.approx(
        [plan.certificate.eps_base(HORIZON), 0.05]
    )
    alone = found(plan, frame, 0.1)[BEST]  # on the envelope itself
    assert (len(alone.settings), alone.saved) == (1, pytest.approx(1.107))


def test_what_is_not_finished_or_left_its_constraint_is_no_point(plan, frame):
    best = found(plan, frame, 0.1)[BEST].settings[0]
    one = frame["cell_id"] == best.cells[3].id
    for changed in (
        frame.assign(status=frame["status"].mask(one, "failed")),
        frame.assign(constraint_held=frame["constraint_held"] & ~one),
        frame.assign(mean_task_steps=frame["mean_task_steps"].mask(one, np.nan)),
    ):
        names = [setting.name for setting in settings_at(plan, changed, HORIZON)]
        assert best.name not in names


def test_without_the_base_there_is_nothing_to_measure_from(plan, frame):
    with pytest.raises(UserError, match=r"add 1 to sweep\.alphas"):
        settings_at(plan, frame[frame["alpha"] != 1.0], HORIZON)


@pytest.mark.parametrize("eps_max", [0.0, 1.0, 1e-4])
def test_levels_out_of_reach_are_named(plan, frame, eps_max):
    with pytest.raises(UserError, match=f"eps_max = {eps_max}"):
        found(plan, frame, eps_max)
