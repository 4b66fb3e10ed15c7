"""How many candidates a study may ask for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sport_ray.experiments.config.base import Whole

Candidates = Annotated[int, Whole, Field(ge=2, le=4096)]
"""M, actions of the base among which one is chosen at every step."""
