"""The section of a study on tuning: training parameters searched at one constraint and one T."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sport_ray.constraints import RatioConstraint
from sport_ray.experiments.config.axes import checked_axes
from sport_ray.experiments.config.base import Horizon, Number, Positive, Probability, Section, Seed
from sport_ray.experiments.config.sections import require_constraint

WHY_ONE = (
    "tuning is at one constraint and one T, since a ranking by performance across α would only "
    "find the largest α: give one value (the sweep has the others)"
)


def _one(value: Any) -> Any:
    if isinstance(value, (list, tuple, dict, set)):
        raise ValueError(f"{value!r} is not one value; {WHY_ONE}")
    return value


One = BeforeValidator(_one)
AboveOne = Annotated[float, Number, Field(gt=1.0, allow_inf_nan=False)]


class TuningSection(Section):
    """Search training parameters for the best task performance under one constraint at one T.

    alpha or eps_max: which constraint of the kind; horizon: where the sweep has several.
    parameters: as the sweep's axes, a list or a distribution (without ``samples``).
    num_scenarios: that every trial is judged on, the same for all, of a purpose of their own.
    reports: how often a trial is judged, for the scheduler to stop it early; the last one counts.
    seed: of the scenarios, of the draws, and of the trials' training (which is no seed of the
    sweep's).
    """

    constraint: Annotated[str, One] = RatioConstraint.name
    alpha: Annotated[AboveOne | None, One] = None
    eps_max: Annotated[Probability | None, One] = None
    horizon: Annotated[Horizon | None, One] = None
    parameters: Annotated[dict[str, Any], Field(min_length=1)]
    trials: Positive = 20
    search: Literal["random", "optuna"] = "random"
    scheduler: Literal["none", "asha", "median"] = "none"
    num_scenarios: Positive = 1_000
    reports: Positive = 5
    seed: Seed = 0

    @field_validator("parameters")
    @classmethod
    def _axes(cls, axes: dict[str, Any]) -> dict[str, Any]:
        return checked_axes(axes, sampled=False)

    @model_validator(mode="after")
    def _one_constraint(self) -> TuningSection:
        kind = require_constraint(self.constraint, f"constraint {self.constraint!r}")
        if (self.alpha is None) == (self.eps_max is None):
            raise ValueError("give alpha or eps_max, and not both")
        if self.alpha is not None and not kind.takes_alpha():
            raise ValueError(f"{self.constraint} has no alpha: give eps_max")
        return self

    @property
    def judgements(self) -> int:
        """How often a trial is judged: at its end, and before only where somebody stops it."""
        return 1 if self.scheduler == "none" else self.reports
