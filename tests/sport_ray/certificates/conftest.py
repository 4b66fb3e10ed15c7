"""A plan, a table of outcomes as rollouts give it, and the certificate made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sport_ray.certificates import Certificate, FixedSampling, build_certificate
from sport_ray.properties import NEVER
from sport_ray.rollouts import Outcomes, OutcomeTotals, ScenarioPlan, Tally
from sport_ray.rollouts.outcomes import pack_verdicts

COUNT = 400


def certify(plan: ScenarioPlan, outcomes: Outcomes, **changes: Any) -> Certificate:
    """The certificate of a table, N = 400 and β = 1e-7 unless changed."""
    totals = OutcomeTotals(plan.horizon)
    totals.add(outcomes)
    count = outcomes.num_scenarios
    arguments: dict[str, Any] = {
        "sampling": FixedSampling(num_scenarios=COUNT),
        "beta": 1e-7,
        "base_digest": "ab" * 32,
        "outcomes_file": "certificate_outcomes.parquet",
        "outcomes_sha256": "cd" * 32,
        "versions": {"python": "3.11"},
        "code": {"sport_ray": "12" * 32},
    }
    tally = changes.pop("tally", Tally(count, count, 0))
    return build_certificate(plan, totals, tally, **{**arguments, **changes})


def reaching(reached: np.ndarray, horizon: int) -> Outcomes:
    """Scenarios that reach the goal after so many steps, if the horizon lets them."""
    count = len(reached)
    zeros = np.zeros(count)
    columns = dict.fromkeys(Outcomes.__dataclass_fields__, zeros)
    columns |= {
        "index": np.arange(count),
        "length": np.minimum(reached, horizon),
        "verdicts": pack_verdicts(np.arange(horizon + 1) >= reached[:, None]),
        "satisfied_at": np.where(reached <= horizon, reached, NEVER),
        "violated_at": np.full(count, NEVER),
        "projected_steps": np.zeros(count, dtype=np.int64),
        "robustness": np.where(reached <= horizon, 0.5, -0.5) * (1 + np.arange(count)),
    }
    return Outcomes(**columns)


@pytest.fixture
def plan() -> ScenarioPlan:
    """Scenarios of at most 30 steps."""
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "fixed", "end_on_violation": True},
        property="(!hazard) U goal",
        horizon=30,
        root_seed=11,
        purpose="certify",
    )


@pytest.fixture
def outcomes() -> Outcomes:
    """400 scenarios that reach the goal after 5 to 34 steps, if the horizon lets them."""
    return reaching(np.random.default_rng(0).integers(5, 35, COUNT), 30)


@pytest.fixture
def certificate(plan: ScenarioPlan, outcomes: Outcomes) -> Certificate:
    """The certificate of these outcomes at β = 1e-7."""
    return certify(plan, outcomes)
