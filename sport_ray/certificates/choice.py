"""A horizon and a base policy chosen on scenarios of their own, before certifying on others."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Candidate(BaseModel):
    """A base policy that could have been chosen, and the best that it offered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    base_digest: str
    horizon: Annotated[int, Field(ge=1)]
    log_alpha: float | None  # nats per step; None: ε_max is out of reach at every horizon


class Choice(BaseModel):
    """What was chosen by looking at scenarios under the purpose 'choose'.

    Those share a root seed with the certificate's but no random number (another child of the seed
    sequence), so for the certificate the choice was made beforehand and costs no confidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    eps_max: Annotated[float, Field(gt=0.0, lt=1.0)]
    beta: Annotated[float, Field(gt=0.0, lt=1.0)]
    max_horizon: Annotated[int, Field(ge=1)]
    env_id: str
    env_kwargs: dict[str, Any]
    property: str
    num_scenarios: Annotated[int, Field(ge=1)]
    root_seed: Annotated[int, Field(ge=0)]
    base_digest: str
    horizon: Annotated[int, Field(ge=1)]
    candidates: list[Candidate]


def best_horizon(bounds: list[float], eps_max: float) -> tuple[int, float | None]:
    """The T with the largest log α = log(ε_max / ε_base(T)) / T, and that log α (nats per step).

    ``bounds`` holds ε_base(T) for T = 1 …; None, with the T of the smallest bound, where none is
    at most ε_max.
    """
    best, value = bounds.index(min(bounds)) + 1, None
    for horizon, bound in enumerate(bounds, start=1):
        if bound <= eps_max:
            log_alpha = math.log(eps_max / bound) / horizon
            if value is None or log_alpha > value:
                best, value = horizon, log_alpha
    return best, value
