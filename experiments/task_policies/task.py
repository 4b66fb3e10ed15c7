"""What a task policy is made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sport_ray.constraints import Constraint
from sport_ray.experiments.config.sections import Environment, ResourcesSection
from sport_ray.properties import parse_property
from sport_ray.rollouts.environment import POINT_REACH_AVOID

if TYPE_CHECKING:
    from sport_ray.rollouts import ScenarioPlan
    from sport_ray.rollouts.seeding import Purpose


@dataclass(frozen=True)
class Task:
    """One environment and property, episodes of T steps, and a seed: all that training is told.

    horizon: T, steps; max_horizon: the certificate's T_max, steps. constraint: what the policy is
    trained under; of a source that knows of none, ``Unconstrained()``. resources: what a cell has.
    most_episodes: how many may begin in training; None for as many as its steps take. eps_max: the
    risk that the policy is to aim at, of a source that aims at one (``targets_risk``).
    """

    environment: Environment
    property: str
    horizon: int
    max_horizon: int
    seed: int
    constraint: Constraint
    resources: ResourcesSection
    most_episodes: int | None = None
    eps_max: float | None = None

    def plan(
        self, purpose: Purpose, root_seed: int, env_kwargs: dict[str, Any] | None = None
    ) -> ScenarioPlan:
        """Scenarios of the task, in the environment made for T_max, whatever T: the same world.

        env_kwargs: of another world than the certificate's.
        """
        from sport_ray.rollouts import ScenarioPlan  # torch takes seconds

        return ScenarioPlan(
            env_id=self.environment.id,
            env_kwargs=self.environment.kwargs if env_kwargs is None else env_kwargs,
            property=self.property,
            horizon=self.horizon,
            root_seed=root_seed,
            purpose=purpose,
            environment_horizon=self.max_horizon,
            copies=self.environment.copies,
            copies_per_process=self.environment.copies_per_process,
        )

    def plan_through_violations(self, purpose: Purpose, root_seed: int) -> ScenarioPlan:
        """The same; the point robot goes on through a violation, which is judged all the same.

        An episode that ended there would look short, and an objective would ask for more of them.
        """
        through = {"end_on_violation": False} if self.environment.id == POINT_REACH_AVOID else {}
        return self.plan(purpose, root_seed, {**self.environment.kwargs, **through})


def mixed_seed(root_seed: int, seed: int) -> int:
    """A root seed of scenarios for each training seed."""
    return int(np.random.SeedSequence([root_seed, seed]).generate_state(1, np.uint64)[0])


def counts_steps(plan: ScenarioPlan) -> bool:
    """Whether performance is steps to the goal, as on the point robot, or else the return."""
    has_goal = parse_property(plan.property).eventual_goal is not None
    return plan.env_id == POINT_REACH_AVOID and has_goal
