"""A certificate of known numbers, made without a rollout."""

from __future__ import annotations

from sport_ray.bounds import scenario_bound
from sport_ray.certificates import BoundTable, Certificate, Counts


def certificate(**changes) -> Certificate:
    """10 of 10,000 scenarios violated at every T up to 30, with such fields changed."""
    horizons = list(range(1, 31))
    eps = [scenario_bound(10_000, 10, 1e-7)] * 30
    simultaneous = [scenario_bound(10_000, 10, 1e-7 / 30)] * 30
    fields = {
        "base_digest": "b" * 64,
        "env_id": "sport_ray/PointReachAvoid-v0",
        "env_kwargs": {"layout": "fixed"},
        "property": "(!hazard) U goal",
        "num_scenarios": 10_000,
        "beta": 1e-7,
        "root_seed": 0,
        "max_horizon": 30,
        "counts": Counts(planned=10_000, started=10_000, finished=10_000, aborted=0),
        "table": BoundTable(
            horizon=horizons,
            num_violations=[10] * 30,
            num_settled=[4] * 30,
            num_running=[9_000] * 13 + [10] * 17,
            eps_base=eps,
            eps_base_simultaneous=simultaneous,
        ),
        "mean_steps_to_goal": 14.0,
        "std_steps_to_goal": 1.0,
        "sampling": {"rule": "fixed", "num_scenarios": 10_000},
        "outcomes": {"file": "x.parquet", "sha256": "0" * 64, "digest": "0" * 64},
        "versions": {},
        "code": {},
    }
    return Certificate(**(fields | changes))
