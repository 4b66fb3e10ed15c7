"""A horizon and a base policy chosen on scenarios of their own, before certifying on others."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from sport_ray.bounds import scenario_bound
from sport_ray.certificates.parts import Frozen

if TYPE_CHECKING:  # torch takes seconds, which reading a certificate should not
    from sport_ray.rollouts import Outcomes


class Candidate(Frozen):
    """A base policy that could have been chosen, and the best that it offered."""

    base: str
    base_digest: str
    horizon: Annotated[int, Field(ge=1)]
    log_alpha: Annotated[float | None, Field(allow_inf_nan=False)]
    """Nats per step; None: ε_max is out of reach at every horizon."""


class Choice(Frozen):
    """What was chosen by looking at scenarios under the purpose 'choose'.

    Those share a root seed with the certificate's but no random number (another child of the seed
    sequence), so for the certificate the choice was made beforehand and costs no confidence.
    """

    eps_max: Annotated[float, Field(gt=0.0, le=1.0)]
    beta: Annotated[float, Field(gt=0.0, lt=1.0)]
    max_horizon: Annotated[int, Field(ge=1)]
    env_id: str
    env_kwargs: dict[str, Any]
    property: str
    num_scenarios: Annotated[int, Field(ge=1)]
    root_seed: Annotated[int, Field(ge=0)]
    base_digest: str
    horizon: Annotated[int, Field(ge=1)]
    candidates: Annotated[list[Candidate], Field(min_length=1)]

    @model_validator(mode="after")
    def _among_them(self) -> Choice:
        """What was chosen is one of the candidates, and none is stated to be better."""
        chosen = [c for c in self.candidates if c.base_digest == self.base_digest]
        if not any(c.horizon == self.horizon and c.log_alpha is not None for c in chosen):
            raise ValueError("the chosen base and horizon are not among the candidates")
        return self


def choose_horizon(
    portions: Iterable[Outcomes], max_horizon: int, beta: float, eps_max: float
) -> tuple[int, float | None]:
    """:func:`best_horizon` of the scenario bounds at β that a table, in portions, gives.

    Raises:
        ValueError: scenarios that are not 0, 1, 2, … in order.
    """
    from sport_ray.rollouts import OutcomeTotals

    totals = OutcomeTotals(max_horizon)
    for outcomes in portions:
        totals.add(outcomes)
    bounds = [scenario_bound(totals.num_scenarios, k, beta) for k in totals.num_violations]
    return best_horizon(bounds, eps_max)


def best_horizon(bounds: list[float], eps_max: float) -> tuple[int, float | None]:
    """The T with the largest log α = log(ε_max / ε_base(T)) / T, and that log α (nats per step).

    ``bounds`` holds ε_base(T) for T = 1 …; None, with the T of the smallest bound, where none is
    at most ε_max and below 1.
    """
    best, value = bounds.index(min(bounds)) + 1, None
    for horizon, bound in enumerate(bounds, start=1):
        if bound <= eps_max and bound < 1.0:  # one of 1 is no bound, whatever is asked for
            log_alpha = math.log(eps_max / bound) / horizon
            if value is None or log_alpha > value:
                best, value = horizon, log_alpha
    return best, value
