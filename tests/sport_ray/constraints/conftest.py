"""Evidence about a base policy, and strategies for hypothesis."""

from __future__ import annotations

import pytest

from sport_ray.constraints import Evidence


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """A base policy with 3 violations in 10,000 scenarios of 12 steps, one of them a timeout."""
    settled = (0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2)
    steps_left = (9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0)
    return Evidence(
        horizon=12,
        eps_base=0.0026,
        beta=1e-7,
        num_scenarios=10_000,
        num_violations=3,
        fixed_number=True,
        settled=settled,
        steps_left=steps_left,
    )
