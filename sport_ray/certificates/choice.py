"""A horizon and a base policy chosen on scenarios of their own, before certifying on others."""

from __future__ import annotations

from typing import Annotated

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
    num_scenarios: Annotated[int, Field(ge=1)]
    root_seed: Annotated[int, Field(ge=0)]
    base_digest: str
    horizon: Annotated[int, Field(ge=1)]
    candidates: list[Candidate]
