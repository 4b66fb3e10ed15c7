"""The section `sweep.choose`: limits larger than the prior ones, from scenarios of the base."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from sport_ray.experiments.config.base import (
    Alpha,
    Listed,
    NonNegative,
    Positive,
    Probability,
    Section,
)

Limits = Annotated[list[NonNegative], Listed, Field(min_length=1, max_length=100)]
ConstraintsOf = dict[str, Annotated[list[str], Listed]]
"""Kinds of constraints by the source of task policies."""
FACTORS = [1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0]


class FromBaseScenarios(Section):
    """A list of limits for each policy and kind, tested in order on scenarios of the base.

    The largest that passes is chosen for each risk in `eps_max`.
    """

    factors: Annotated[list[Alpha], Listed, Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: list(FACTORS)
    )
    """Limits as multiples of the prior one at the smallest `eps_max`: of log α, of B, of μ; rising.
    [1]"""
    limits: dict[str, Limits] = Field(default_factory=dict)
    """Limits by the name of a kind, instead of `factors`: α, B in nats or μ; rising."""
    constraints_of: ConstraintsOf = Field(default_factory=dict)
    """By source of task policies, the kinds that it has lists of; without any, those of the sweep,
    and with some, none for a source that is not named."""
    scenarios: Literal["fresh", "certificate"] = "fresh"
    """Scenarios of their own, or those of the certificate again, at the price of a smaller β."""
    num_scenarios: Positive = 20_000
    """Fresh ones for each list. [scenarios]"""
    beta: Probability | None = None
    """Probability that a list's choices err, all risks together; by default the certificate's.
    [probability]"""

    @field_validator("factors")
    @classmethod
    def _rising_factors(cls, factors: list[float]) -> list[float]:
        _require_rising("factors", factors)
        if factors[0] <= 1.0:
            raise ValueError(f"factors holds {factors[0]:g}: the prior limit needs no test")
        return factors

    @field_validator("limits")
    @classmethod
    def _rising_limits(cls, limits: dict[str, list[float]]) -> dict[str, list[float]]:
        for kind, values in limits.items():
            _require_rising(f"limits.{kind}", values)
        return limits


def _require_rising(name: str, values: list[float]) -> None:
    for one, after in itertools.pairwise(values):
        if after <= one:
            raise ValueError(
                f"{name} holds {after:g} behind {one:g}: limits are tested in order, write them "
                "from the smallest to the largest"
            )


class ChooseLimits(Section):
    """How limits are chosen beside the prior ones: `from_base_scenarios`, or a mapping of it."""

    from_base_scenarios: FromBaseScenarios = FromBaseScenarios()
    """A list of limits, tested on scenarios of the base before any policy acts."""


def _by_name(value: Any) -> Any:
    return {value: {}} if isinstance(value, str) else value


ChooseLimitsByName = Annotated[ChooseLimits, BeforeValidator(_by_name)]
