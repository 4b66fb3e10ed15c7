"""A plan, a table of outcomes as rollouts give it, and the certificate made of them."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.certificates import Certificate, build_certificate
from sport_ray.properties.reach_avoid import NEVER
from sport_ray.rollouts import Outcomes, ScenarioPlan

COUNT = 400


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
    rng = np.random.default_rng(0)
    reached = rng.integers(5, 35, COUNT)
    zeros = np.zeros(COUNT)
    columns = {name: zeros for name in Outcomes.__dataclass_fields__}
    columns |= {
        "index": np.arange(COUNT),
        "length": np.minimum(reached, 30),
        "satisfied_at": np.where(reached <= 30, reached, NEVER),
        "violated_at": np.full(COUNT, NEVER),
        "projected_steps": np.zeros(COUNT, dtype=np.int64),
        "robustness": rng.normal(size=COUNT),
    }
    return Outcomes(**columns)


@pytest.fixture
def certificate(plan: ScenarioPlan, outcomes: Outcomes) -> Certificate:
    """The certificate of these outcomes at β = 1e-7."""
    return build_certificate(
        plan,
        outcomes,
        planned=COUNT,
        beta=1e-7,
        base_digest="ab" * 32,
        versions={"python": "3.11"},
    )
