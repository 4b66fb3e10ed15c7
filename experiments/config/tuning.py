"""The section of a study on tuning: training parameters searched at one constraint and one T."""

from __future__ import annotations

import importlib.util
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sport_ray.constraints import RatioConstraint, constraint_class
from sport_ray.errors import UserError
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
    """Search training parameters for the best task performance under one constraint at one T."""

    constraint: Annotated[str, One] = RatioConstraint.name
    """The one kind of constraint that is tuned under."""
    alpha: Annotated[AboveOne | None, One] = None
    """Its density ratio per step; or `eps_max`. [ratio]"""
    eps_max: Annotated[Probability | None, One] = None
    """The risk that the constraint is derived from; or `alpha`. [probability]"""
    horizon: Annotated[Horizon | None, One] = None
    """T, in steps; may be left out where the sweep has one. [steps]"""
    parameters: Annotated[dict[str, Any], Field(min_length=1)]
    """What is searched, by name of a training parameter: a list, or a distribution."""
    trials: Positive = 20
    """Choices of parameters that are tried. [trials]"""
    search: Literal["random", "optuna"] = "random"
    """How they are found."""
    scheduler: Literal["none", "asha", "median"] = "none"
    """What stops trials early that fall behind."""
    num_scenarios: Positive = 1_000
    """Scenarios that a trial is judged on, the same for all, of a purpose of their own.
    [scenarios]"""
    reports: Positive = 5
    """How often a trial is judged where a scheduler may stop it; the last one counts. [reports]"""
    seed: Seed = 0
    """Of scenarios, draws and the trials' training, which has none of the sweep's seeds. [1]"""

    @field_validator("parameters")
    @classmethod
    def _axes(cls, axes: dict[str, Any]) -> dict[str, Any]:
        return checked_axes(axes, sampled=False)

    @field_validator("constraint")
    @classmethod
    def _known_constraint(cls, name: str) -> str:
        return require_constraint(name, f"constraint {name!r}").name

    @model_validator(mode="after")
    def _one_constraint(self) -> TuningSection:
        kind = constraint_class(self.constraint)
        if (self.alpha is None) == (self.eps_max is None):
            raise ValueError("give alpha or eps_max, and not both")
        if self.alpha is not None and not kind.takes_alpha():
            raise ValueError(f"{self.constraint} has no alpha: give eps_max")
        return self

    @property
    def judgements(self) -> int:
        """How often a trial is judged: at its end, and before only where somebody stops it."""
        return 1 if self.scheduler == "none" else self.reports


def require_search(tuning: TuningSection | None) -> None:
    """Refuse a search algorithm whose package is not installed.

    Raises:
        UserError: with what to install.
    """
    asked = tuning is not None and tuning.search == "optuna"
    if asked and importlib.util.find_spec("optuna") is None:
        raise UserError(
            "tuning.search = 'optuna', which is not installed: pip install \"optuna>=4\", or set "
            "it to random"
        )
