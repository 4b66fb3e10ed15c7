"""Learning curves of a cell: one small file of columns, a point for one or more iterations.

A training run has at most `MOST` points whatever its length: where iterations are joined, a
quantity is their mean, their largest, or the last, as `QUANTITIES` says. What a source does not
measure is NaN, and not in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import ResultFolder, read_object

MOST = 64
"""Points of a file."""
DIGITS = 5
"""Significant ones of what is measured; counts are whole."""
Join = Literal["last", "mean", "max"]


class Quantity(NamedTuple):
    """What a curve is of: how iterations are joined to a point, its unit and its meaning."""

    join: Join
    unit: str
    meaning: str


QUANTITIES: Mapping[str, Quantity] = {
    "iteration": Quantity("last", "iterations", "iterations of training so far"),
    "env_steps": Quantity("last", "steps", "environment steps of training so far"),
    "episodes_begun": Quantity("last", "episodes", "episodes of training begun so far, at most"),
    "violations": Quantity("last", "episodes", "of them violated the property within T, so far"),
    "mean_return": Quantity("mean", "", "mean return of the last episodes that ended, at most 100"),
    "mean_length": Quantity("mean", "steps", "mean length of the same episodes"),
    "projected_share": Quantity("mean", "share", "steps at which projection changed the policy"),
    "mean_log_ratio": Quantity("mean", "nats", "mean over steps of max_a log pi/pi_base"),
    "max_log_ratio": Quantity("max", "nats", "the largest of the same"),
    "kl_to_base": Quantity("mean", "nats", "mean over steps of KL(policy || base)"),
    "task_distance": Quantity("mean", "nats", "mean over steps of KL(projected || task)"),
    "budget_left": Quantity("mean", "share", "what is left of the budget, mean over steps"),
    "entropy": Quantity("mean", "nats", "entropy of the policy that learns"),
    "policy_loss": Quantity("mean", "", "loss of the policy, as its algorithm has it"),
    "value_loss": Quantity("mean", "", "loss of what predicts returns"),
    "clip_fraction": Quantity("mean", "share", "samples outside PPO's clip range"),
}  # fmt: skip
COUNTS = tuple(name for name, one in QUANTITIES.items() if one.join == "last")
"""What only grows, in whole numbers."""


@dataclass(frozen=True, eq=False)
class Curves:
    """`columns`: by name, (n,) float64 each, for those of `QUANTITIES` that were measured."""

    columns: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self["iteration"])

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """The quantity at each point, NaN where it is not known.

        Raises:
            KeyError: no quantity of that name.
        """
        if name in self.columns:
            return self.columns[name]
        if name not in QUANTITIES:
            raise KeyError(name)
        return np.full(len(next(iter(self.columns.values()), ())), np.nan)

    def __iter__(self) -> Iterator[str]:
        """Names of what was measured, in the order of `QUANTITIES`."""
        return (name for name in QUANTITIES if name in self.columns)

    @cached_property
    def begun(self) -> int | None:
        """Episodes begun in all, at most; None where nobody counted."""
        column = self["episodes_begun"]
        return int(column[-1]) if len(column) and math.isfinite(column[-1]) else None

    def followed_by(self, env_steps: int, episodes: int, violations: int) -> Curves:
        """With one more point, of rollouts after training: of them nothing else is known.

        Counts that were not kept before stay unknown.
        """
        more = {"iteration": 0, "env_steps": env_steps, "episodes_begun": episodes}
        more["violations"] = violations
        ends = {name: self[name][-1] + more[name] for name in more}
        return Curves(
            {
                name: np.append(column, ends.get(name, np.nan))
                for name, column in self.columns.items()
            }
        )

    def to_json(self) -> dict[str, list[float | int | None]]:
        """The file's content: columns of numbers, null for NaN; the inverse of `from_json`."""
        return {name: [_told(name, one) for one in self.columns[name].tolist()] for name in self}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Curves:
        """Curves of a file; what it has beside `QUANTITIES` is passed over.

        Raises:
            ValueError: no curves, in a few words.
        """
        columns = {}
        for name in QUANTITIES:
            if name in content:
                columns[name] = _column(name, content[name])
        lengths = {len(column) for column in columns.values()}
        if not {"iteration", "env_steps"} <= columns.keys() or len(lengths) != 1 or 0 in lengths:
            raise ValueError("has no columns 'iteration' and 'env_steps', or of different lengths")
        return cls(columns)


def read_curves(files: ResultFolder, cell_id: str) -> Curves | None:
    """The learning curves of a cell; None where its training left none.

    Raises:
        UserError: a damaged file.
    """
    file = files.training(cell_id)
    content = read_object(file)
    if content is None:
        return None
    try:
        return Curves.from_json(content)
    except ValueError as error:
        raise UserError(
            f"damaged file cells/{cell_id}/{file.name}: {error}; delete its folder and run the "
            "sweep again"
        ) from None


def _told(name: str, value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if name in COUNTS else float(f"{value:.{DIGITS}g}")


def _column(name: str, values: Any) -> NDArray[np.float64]:
    if not isinstance(values, list) or len(values) > 2 * MOST:
        raise ValueError(f"has no list of at most {2 * MOST} numbers for {name!r}")
    for value in values:
        if value is None:
            continue
        whole = type(value) is int and value >= 0
        if not whole and (name in COUNTS or type(value) is not float or not math.isfinite(value)):
            kind = "a count" if name in COUNTS else "a number"
            raise ValueError(f"has {name} = {str(value)[:40]}, expected {kind}")
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if name in COUNTS and (np.diff(found[np.isfinite(found)]) < 0).any():
        raise ValueError(f"has {name} that falls")
    return found
