"""Running again: what is drawn, and a choice that does not come out again is no choice."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.bounds import scenario_bound
from sport_ray.certificates import (
    Candidate,
    Certificate,
    Choice,
    FixedSampling,
    build_certificate,
    rerun,
)
from sport_ray.certificates.choice import best_horizon
from sport_ray.certificates.rerun import CheckFailed, _blocks, choose_again
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, PolicyFile, load_policy
from sport_ray.rollouts import BaseBehaviour, OutcomeTotals, ScenarioPlan, Tally, run_scenarios

PLAN = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    env_kwargs={"layout": "fixed"},
    property="(!hazard) U goal",
    horizon=40,
    root_seed=8,
    purpose="certify",
)
TRIED, EPS_MAX, BETA = 130, 0.5, 1e-3


@pytest.fixture(scope="module")
def base() -> PolicyFile:
    return load_policy(BUNDLED / "point_reach_avoid")


@pytest.fixture(scope="module")
def chosen(base) -> Choice:
    """What the choice stage would write, worked out in one piece."""
    plan = PLAN.model_copy(update={"purpose": "choose"})
    outcomes = run_scenarios(plan, BaseBehaviour(FrozenPolicy(base.network)), 0, TRIED)
    bounds = [scenario_bound(TRIED, outcomes.num_violations(t), BETA) for t in range(1, 41)]
    horizon, log_alpha = best_horizon(bounds, EPS_MAX)
    assert 1 < horizon < 40
    assert log_alpha is not None
    return Choice(
        eps_max=EPS_MAX,
        beta=BETA,
        max_horizon=PLAN.horizon,
        env_id=PLAN.env_id,
        env_kwargs=PLAN.env_kwargs,
        property=PLAN.property,
        num_scenarios=TRIED,
        root_seed=PLAN.root_seed,
        base_digest=base.digest,
        horizon=horizon,
        candidates=[
            Candidate(base="it", base_digest=base.digest, horizon=horizon, log_alpha=log_alpha)
        ],
    )


@pytest.fixture(scope="module")
def certificate(base) -> Certificate:
    totals = OutcomeTotals(PLAN.horizon)
    totals.add(run_scenarios(PLAN, BaseBehaviour(FrozenPolicy(base.network)), 0, 50))
    return build_certificate(
        PLAN,
        totals,
        Tally(50, 50, 0),
        sampling=FixedSampling(num_scenarios=50),
        beta=1e-3,
        base_digest=base.digest,
        outcomes_file="table.parquet",
        outcomes_sha256="0" * 64,
        versions={},
        code={},
    )


def test_a_choice_comes_out_again_in_portions(certificate, chosen, base, monkeypatch):
    monkeypatch.setattr(rerun, "PORTION", 50)
    told = choose_again(certificate, chosen, base)
    assert told == f"T = {chosen.horizon} chosen again on {TRIED} scenarios of their own"


def test_a_choice_that_was_picked_afterwards_does_not(certificate, chosen, base):
    later = chosen.model_copy(update={"horizon": chosen.horizon + 1})
    with pytest.raises(CheckFailed, match=f"gives T = {chosen.horizon}, not {chosen.horizon + 1}"):
        choose_again(certificate, later, base)
    hopeless = chosen.model_copy(update={"eps_max": 1e-6})
    with pytest.raises(CheckFailed, match="choosing again gives"):
        choose_again(certificate, hopeless, base)


def test_a_candidate_that_is_stated_to_be_better_is_found(certificate, chosen, base):
    [mine] = chosen.candidates
    better = mine.model_copy(update={"base": "other", "log_alpha": mine.log_alpha + 1e-6})
    lied = chosen.model_copy(update={"candidates": [mine, better]})
    with pytest.raises(CheckFailed, match="'other' is stated to be better"):
        choose_again(certificate, lied, base)


@pytest.mark.parametrize(
    "change", [{"max_horizon": 41}, {"property": "F goal"}, {"env_kwargs": {}}, {"env_id": "X-v0"}]
)
def test_a_choice_for_something_else_is_none(certificate, chosen, base, change):
    with pytest.raises(CheckFailed, match="another environment, property or longest horizon"):
        choose_again(certificate, chosen.model_copy(update=change), base)


@pytest.mark.parametrize(
    ("total", "wanted"), [(260, 260), (260, 120), (10_001, 10_001), (120, 5), (7, 50)]
)
def test_what_is_run_again_is_drawn_and_covers_what_was_asked(total, wanted):
    drawn = [_blocks(total, wanted) for _ in range(20)]
    for blocks in drawn:
        rows = np.concatenate([np.arange(first, first + count) for first, count in blocks])
        assert np.unique(rows).size == rows.size == min(total, wanted)
        assert rows.max() < total
    if wanted < total:
        assert len({tuple(blocks) for blocks in drawn}) > 1  # no forger knows them
