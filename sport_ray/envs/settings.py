"""What the point robot's environment, its vector and its simulator alike can be told."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal, get_args

from sport_ray.envs.layouts import LayoutName
from sport_ray.envs.perturbation import Perturbation
from sport_ray.errors import UserError

RewardName = Literal["task", "base", "guided"]


@dataclass(frozen=True)
class RobotSettings(Perturbation):
    """The keyword arguments of ``sport_ray/PointReachAvoid-v0``, beside its ``render_mode``.

    layout: ``"fixed"``, the layout of the alpha sweeps, or ``"random"``.
    horizon: Control steps (0.2 s each) after which an episode is truncated.
    end_on_violation: Whether entering the hazard terminates, as in evaluation.
    reward: ``"task"``: the step's decrease of the distance to the goal, +1 at the goal, nothing
        for the hazard. ``"base"``: -0.25 in the hazard, otherwise +1 at the goal; with
        ``end_on_violation=False`` the -0.25 is paid at each step inside the hazard.
        ``"guided"``: the base reward plus GUIDANCE per metre of decrease of the distance, for
        training a base policy from scratch (the goal is not found by chance).
    margin: Metres around the hazard that rewards and ends count as hazard too, so that a base
        policy learns to keep away from it; signals and properties know nothing of it.
    actuation_noise, actuation_bias, start_noise, start_bias: see :class:`Perturbation`.

    Raises:
        UserError: An argument is not among the allowed values.
    """

    layout: LayoutName = "fixed"
    horizon: int = 100
    end_on_violation: bool = True
    reward: RewardName = "task"
    margin: float = 0.0

    def __post_init__(self) -> None:
        _require_one_of("layout", self.layout, get_args(LayoutName))
        object.__setattr__(self, "horizon", positive_int("horizon", self.horizon))
        _require_one_of("end_on_violation", self.end_on_violation, (True, False))
        _require_one_of("reward", self.reward, get_args(RewardName))
        margin = self.margin
        number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not number or not 0.0 <= margin < 10.0:
            raise UserError(
                f"margin is {margin!r}: expected metres from 0 up to (not including) 10"
            )
        super().__post_init__()


def positive_int(name: str, value: object) -> int:
    """``value`` as an int, or a UserError if it is not a whole number of at least 1."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise UserError(f"{name} is {value!r}: expected a whole number of at least 1")
    return number


def _require_one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise UserError(f"{name} is {value!r}: expected {' or '.join(map(repr, allowed))}")
