"""The project's own engines: one cell as an algorithm of its own, and many cells as one."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.clock import Measured, repeated
from benchmarks.peers.settings import ENV_ID, ENV_KWARGS, Setting, alpha_of

SAMPLED = "num_env_steps_sampled_lifetime"
MIDDLE = 5
"""The cell that the single engine trains: α = 1.5."""


def cell_config(setting: Setting, cell: int) -> Any:
    """A cell as a study configures it; without warm-up, so that all steps cost alike."""
    from sport_ray.projected_ppo import ProjectedPPOConfig

    return (
        ProjectedPPOConfig()
        .environment(ENV_ID, env_config=dict(ENV_KWARGS))
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=setting.num_envs,
            rollout_fragment_length="auto",
        )
        .training(
            base=setting.base_folder,
            alpha=alpha_of(cell),
            lr=setting.lr,
            critic_lr=setting.critic_lr,
            warmup_env_steps=0,
            train_batch_size=setting.train_batch_size,
            minibatch_size=setting.minibatch_size,
            num_epochs=setting.num_epochs,
            gamma=setting.gamma,
            lambda_=setting.gae_lambda,
            clip_param=setting.clip,
            entropy_coeff=0.0,
            grad_clip=setting.grad_clip,
        )
        .debugging(seed=cell, log_level="ERROR")
        .reporting(metrics_num_episodes_for_smoothing=100)
    )


class Single:
    """One cell as a :class:`ProjectedPPO`."""

    def __init__(self, setting: Setting, cells: int, gpu: bool = False) -> None:
        config = cell_config(setting, MIDDLE)
        if gpu:
            config.learners(num_gpus_per_learner=1)
        self._algorithm = config.build_algo()
        self._sampled = 0
        self.advance()
        self.advance()  # the first iterations build caches

    def advance(self) -> int:
        """An iteration; the steps that it sampled."""
        before = self._sampled
        self._sampled = int(self._algorithm.train()["env_runners"][SAMPLED])
        return self._sampled - before

    def measure(self, seconds: float) -> Measured:
        """Env steps."""
        return repeated(self.advance, seconds)


class Cohort:
    """K cells as a :class:`ProjectedPPOCohort`."""

    def __init__(self, setting: Setting, cells: int, gpu: bool = False) -> None:
        from sport_ray.projected_ppo.cohort import ProjectedPPOCohortConfig

        configs = [cell_config(setting, cell) for cell in range(cells)]
        config = ProjectedPPOCohortConfig().cells(configs)
        if gpu:
            config.learners(num_gpus_per_learner=1)
        self._algorithm = config.build_algo()
        self._sampled = 0
        self.advance()

    def advance(self) -> int:
        """An iteration; the steps that all cells sampled together.

        Raises:
            ArithmeticError: a cell failed, and the others' speed is not what was asked for.
        """
        before = self._sampled
        cells = self._algorithm.train()["cells"]
        for cell in range(len(cells)):
            if (error := self._algorithm.error(cell)) is not None:
                raise ArithmeticError(f"cell {cell} failed: {error}")
        self._sampled = sum(int(cell[SAMPLED]) for cell in cells)
        return self._sampled - before

    def measure(self, seconds: float) -> Measured:
        """Env steps of all cells."""
        return repeated(self.advance, seconds)
