"""FOCOPS: a price of violations, and steps in the space of policies that PPO's clip only hints at.

First-order constrained optimisation in policy space (Zhang, Vuong, Ross 2020), aimed at an
acceptable risk: one policy for each of ``sweep.eps_max``. Nothing is promised of what comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sport_ray.experiments.config.base import Rate, Section
from sport_ray.experiments.task_policies._pursuing import PursuingSource, aim_of
from sport_ray.experiments.task_policies.ppo_lagrangian import PPOLagrangianSection

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.projected_ppo.objective import Objective


class FOCOPSSection(PPOLagrangianSection):
    """The price of a violation, and the loss; PPO's other parameters are those of `unconstrained`.

    Its clip and `gradient` are of no use here.
    """

    temperature: Rate = 1.5
    """λ, what a nat of KL to the last policy costs, in standardised advantages. [1/nat]"""
    kl_limit: Rate = 0.02
    """δ: a state farther than this from the last policy is left alone. [nats]"""


class FOCOPSSource(PursuingSource):
    """FOCOPS: PPO-Lagrangian's price, with a loss in the space of policies."""

    name = "focops"
    title = "FOCOPS"
    settings: ClassVar[type[Section]] = FOCOPSSection
    targets_risk = True

    def objective(self, task: Task, own: Any) -> Objective:
        """The priced reward and the loss, aimed at the task's risk."""
        from sport_ray.comparators.focops import FirstOrder

        price = own.price_rate, own.price_start, own.price_most
        return FirstOrder(aim_of(task, self.name), *price, own.temperature, own.kl_limit)
