"""The outcome table: one row per scenario, the only thing that certificates are computed from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of n scenarios, sorted by index; arrays of shape (n,) but for ``verdicts``.

    index: the scenario's number.
    length: steps taken.
    verdicts: (n, ⌈T_max/8⌉) bytes; bit T − 1 (most significant first) is 1 iff the first T steps,
        or all of them if there were fewer, satisfy the property.
    satisfied_at, violated_at: first step with a verdict that nothing to come can change, or
        NEVER (−1).
    robustness: ρ of the trajectory, in the signals' unit; negative iff violated.
    total_reward: sum of the environment's own rewards, undiscounted.
    max_log_ratio: largest policy-level log ratio over the episode's steps, nats.
    sum_log_ratio: sum of the same over steps, nats.
    sum_realised_log_ratio: Σ_t log π(a_t|s_t)/π_base(a_t|s_t), nats.
    max_prefix_log_ratio: the largest that this sum ever was, at least 0, nats.
    projected_steps: steps at which the projection changed the task policy.
    sum_kl_to_base, sum_task_distance: Σ_t KL(π‖π_base), Σ_t KL(π‖π_task), nats.
    """

    index: NDArray[np.int64]
    length: NDArray[np.int64]
    verdicts: NDArray[np.uint8]
    satisfied_at: NDArray[np.int64]
    violated_at: NDArray[np.int64]
    robustness: NDArray[np.float64]
    total_reward: NDArray[np.float64]
    max_log_ratio: NDArray[np.float64]
    sum_log_ratio: NDArray[np.float64]
    sum_realised_log_ratio: NDArray[np.float64]
    max_prefix_log_ratio: NDArray[np.float64]
    projected_steps: NDArray[np.int64]
    sum_kl_to_base: NDArray[np.float64]
    sum_task_distance: NDArray[np.float64]

    @property
    def num_scenarios(self) -> int:
        """Number of scenarios, n."""
        return len(self.index)

    def satisfied_by(self, horizon: int) -> NDArray[np.bool_]:
        """Which scenarios satisfy the property when they are cut after ``horizon`` steps, (n,).

        One data set of long episodes so answers for every shorter horizon T: what a policy did in
        its first T steps does not depend on how many were to follow.

        Raises:
            ValueError: a horizon below 1 or beyond what was run.
        """
        if not 1 <= horizon <= 8 * self.verdicts.shape[1]:
            raise ValueError(f"horizon must lie in 1 … T_max of the table, got {horizon!r}")
        byte, bit = divmod(horizon - 1, 8)
        found: NDArray[np.bool_] = (self.verdicts[:, byte] >> (7 - bit)) & 1 == 1
        return found

    def num_violations(self, horizon: int) -> int:
        """Scenarios that do not satisfy the property within ``horizon`` steps."""
        return int(self.num_scenarios - self.satisfied_by(horizon).sum())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def rows(self, chosen: slice | NDArray[Any]) -> Outcomes:
        """The table of some of the rows."""
        return Outcomes(**{name: values[chosen] for name, values in self.to_arrays().items()})

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


def pack_verdicts(by_step: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Verdicts of the prefixes of 0 … T_max steps, (n, T_max + 1), as the column ``verdicts``."""
    return np.packbits(by_step[:, 1:], axis=1)


def unpack_verdicts(verdicts: NDArray[np.uint8], horizon: int) -> NDArray[np.bool_]:
    """Verdicts at T = 1 … ``horizon``, (n, horizon)."""
    return np.unpackbits(verdicts, axis=1, count=horizon).astype(bool)
