"""Makes the environments of a cohort: robots together, others cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gymnasium.vector import AutoresetMode

from sport_ray.errors import UserError
from sport_ray.projected_ppo.cohort.environment import CohortEnvironment, SeparateEnvironments
from sport_ray.projected_ppo.cohort.robots import CohortOfRobots
from sport_ray.projected_ppo.environment import AnyVectorEnv, TrainingEnvironment


def cohort_environment(contexts: Sequence[Mapping[str, Any]], copies: int) -> CohortEnvironment:
    """The environments of cells with these contexts (see ``TrainingEnvironment``), n copies each.

    Point robots are stepped together; any other environment cell by cell.

    Raises:
        UserError: whatever the single algorithm's environment refuses.
    """
    first = _made(contexts[0], copies)
    robots = CohortOfRobots.of(first, contexts)
    if robots is not None:
        first.close()
        return robots
    rest = [_made(context, copies) for context in contexts[1:]]
    return SeparateEnvironments([first, *rest])


def _made(context: Mapping[str, Any], copies: int) -> AnyVectorEnv:
    made: Any = TrainingEnvironment({**context, "num_envs": copies})
    mode = made.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.NEXT_STEP:
        raise UserError(
            f"the vector environment resets by {mode}: Projected PPO needs AutoresetMode.NEXT_STEP"
        )
    found: AnyVectorEnv = made
    return found
