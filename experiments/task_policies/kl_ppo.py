"""KL-regularised PPO: PPO on the reward less κ log π/π_base, as in RL with KL control.

What language models are fine-tuned by, and the natural rival of a hard bound on the same ratio: it
is small on average where a bound holds always. Nothing is promised of the policy that comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sport_ray.experiments.config.base import NonNegative, Section
from sport_ray.experiments.task_policies._pursuing import PursuingSource

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.projected_ppo.objective import Objective


class KLPPOSection(Section):
    """What distance from the base costs; PPO's own parameters are those of `unconstrained`."""

    weight: NonNegative = 0.1
    """κ, the price of the log ratio to the base, at every step. [reward/nat]"""


class KLPPOSource(PursuingSource):
    """PPO with a price on its log ratio to the base, at every step."""

    name = "kl_ppo"
    title = "KL-regularised PPO"
    settings: ClassVar[type[Section]] = KLPPOSection

    def objective(self, task: Task, own: Any) -> Objective:
        """The reward less what the ratio costs."""
        from sport_ray.comparators.kl_ppo import KLPenalty

        return KLPenalty(own.weight)
