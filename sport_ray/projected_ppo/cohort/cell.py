"""One cell of a cohort: what its own configuration says beyond what all cells share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sport_ray.constraints import Constraint
from sport_ray.policies.network import PolicyNetwork
from sport_ray.projected_ppo.objective import Objective

if TYPE_CHECKING:  # a device needs no RLlib
    from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig


@dataclass(frozen=True, eq=False)
class Cell:
    """The options of :data:`~sport_ray.projected_ppo.cohort.sharing.PER_CELL`, as they were set.

    ``start``: the network that training begins with, with the constraint's features among its
    inputs. It is never changed.
    """

    seed: int | None
    constraint: Constraint
    start: PolicyNetwork
    lr: float
    critic_lr: float
    gamma: float
    lambda_: float
    clip_param: float
    entropy_coeff: float
    grad_clip: float | None
    vf_loss_coeff: float
    warmup_env_steps: int
    objective: Objective | None = None

    @classmethod
    def of(cls, config: ProjectedPPOConfig) -> Self:
        """The cell of a configuration of the single algorithm."""
        assert config.constraint is not None
        return cls(
            seed=config.seed,
            constraint=config.constraint,
            start=config._start(),
            lr=config.lr,
            critic_lr=config.critic_lr,
            gamma=config.gamma,
            lambda_=config.lambda_,
            clip_param=config.clip_param,
            entropy_coeff=config.entropy_coeff,
            grad_clip=config.grad_clip,
            vf_loss_coeff=config.vf_loss_coeff,
            warmup_env_steps=config.warmup_env_steps,
            objective=config.objective,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # RLlib copies configurations again and again; nothing here ever changes.
        return self
