"""The outcome table: one row per scenario, the only thing that certificates are computed from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sport_ray.properties.reach_avoid import NEVER


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of n scenarios, sorted by index; arrays of shape (n,).

    index: the scenario's number.
    length: steps taken.
    satisfied_at, violated_at: first step with a fixed verdict, or NEVER (−1).
    reached_at: first step at which the goal is reached, violated before or not, or NEVER.
    robustness: ρ of the trajectory, in the signals' unit; negative iff violated.
    max_log_ratio: largest policy-level log ratio over the episode's steps, nats.
    sum_log_ratio: sum of the same over steps, nats.
    sum_realised_log_ratio: Σ_t log π(a_t|s_t)/π_base(a_t|s_t), nats.
    projected_steps: steps at which the projection changed the task policy.
    sum_kl_to_base, sum_task_distance: Σ_t KL(π‖π_base), Σ_t KL(π‖π_task), nats.
    """

    index: NDArray[np.int64]
    length: NDArray[np.int64]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]
    reached_at: NDArray[np.int64]
    robustness: NDArray[np.float64]
    max_log_ratio: NDArray[np.float64]
    sum_log_ratio: NDArray[np.float64]
    sum_realised_log_ratio: NDArray[np.float64]
    projected_steps: NDArray[np.int64]
    sum_kl_to_base: NDArray[np.float64]
    sum_task_distance: NDArray[np.float64]

    @property
    def num_scenarios(self) -> int:
        """Number of scenarios, n."""
        return len(self.index)

    def satisfied_by(self, horizon: int) -> NDArray[np.bool_]:
        """Which scenarios satisfy the property within ``horizon`` steps, shape (n,).

        A property that is satisfied by the time t stays so, so one data set of long episodes
        answers for every shorter horizon.
        """
        return (self.satisfied_at != NEVER) & (self.satisfied_at <= horizon)

    def num_violations(self, horizon: int) -> int:
        """Scenarios that do not satisfy the property within ``horizon`` steps."""
        return int(self.num_scenarios - self.satisfied_by(horizon).sum())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def concatenate(cls, parts: list[Outcomes]) -> Outcomes:
        """One table from parts, sorted by index.

        Raises:
            ValueError: no parts, or an index that occurs twice (a scenario must count once).
        """
        if not parts:
            raise ValueError("parts must hold at least one table")
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
        }
        order = np.argsort(columns["index"], kind="stable")
        columns = {name: values[order] for name, values in columns.items()}
        repeated = columns["index"][1:][np.diff(columns["index"]) == 0]
        if repeated.size:
            raise ValueError(f"scenario {repeated[0]} occurs twice")
        return cls(**columns)
