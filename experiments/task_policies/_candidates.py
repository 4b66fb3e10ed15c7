"""How many candidates a study may ask for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sport_ray.experiments.config.base import Whole
from sport_ray.selection.limits import MOST_CANDIDATES

Candidates = Annotated[int, Whole, Field(ge=2, le=MOST_CANDIDATES)]
"""M, actions of the base among which one is chosen at every step."""
