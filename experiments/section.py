"""What the sections of a study have in common: their base class, and the kinds of numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Alpha = Annotated[float, Field(ge=1.0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Method = Literal["projected_ppo", "projected_at_deployment"]
METHODS: tuple[Method, ...] = ("projected_ppo", "projected_at_deployment")


class Section(BaseModel):
    """A section of a study: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def leave_to_stages(kwargs: dict[str, Any], where: str, more: tuple[str, ...] = ()) -> None:
    """Refuse environment arguments that the stages set themselves.

    Raises:
        ValueError: one of them is given.
    """
    for key in ("horizon", "max_episode_steps", *more):
        if key in kwargs:
            raise ValueError(f"{key} is set by the stages; remove it from {where}")
