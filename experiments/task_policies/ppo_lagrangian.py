"""PPO-Lagrangian: PPO on the reward less a price of violations that follows their share.

The best known method of constrained reinforcement learning (Ray, Achiam, Amodei 2019), aimed at an
acceptable risk: one policy for each of ``sweep.eps_max``. It is held to the risk on average over
training at best, and nothing is promised of the policy that comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sport_ray.experiments.config.base import NonNegative, Rate, Section
from sport_ray.experiments.task_policies._pursuing import PursuingSource, aim_of

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.projected_ppo.objective import Objective


class PPOLagrangianSection(Section):
    """The price of a violation; PPO's own parameters are those of `unconstrained`."""

    price_rate: Rate = 0.05
    """How far each training episode moves the price: times 1 − ε_max where it violates, −ε_max
    where it does not. [reward]"""
    price_start: NonNegative = 1.0
    """The price at the beginning, kept while only the critic learns. [reward]"""
    price_most: Rate = 100.0
    """The largest price. [reward]"""


class PPOLagrangianSource(PursuingSource):
    """PPO-Lagrangian: a price of violations that follows their share in training."""

    name = "ppo_lagrangian"
    title = "PPO-Lagrangian"
    settings: ClassVar[type[Section]] = PPOLagrangianSection
    targets_risk = True

    def objective(self, task: Task, own: Any) -> Objective:
        """The reward less the price, aimed at the task's risk."""
        from sport_ray.comparators.ppo_lagrangian import Penalty

        aim = aim_of(task, self.name)
        return Penalty(aim, own.price_rate, own.price_start, own.price_most)
