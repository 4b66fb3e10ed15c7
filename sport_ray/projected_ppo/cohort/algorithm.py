"""Many cells of Projected PPO as one RLlib algorithm, and its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ray.rllib.algorithms.ppo import PPO
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES_LIFETIME,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
)

from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork
from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.cohort import DeviceCohort, Metrics
from sport_ray.projected_ppo.cohort.device.dispatch import lockstep_of
from sport_ray.projected_ppo.cohort.learner import CELLS, ERRORS, CohortLearner
from sport_ray.projected_ppo.cohort.networks import policy_of
from sport_ray.projected_ppo.cohort.protocol import Errors
from sport_ray.projected_ppo.cohort.rollout import CohortSample
from sport_ray.projected_ppo.cohort.runner import CohortRunner
from sport_ray.projected_ppo.cohort.sharing import SHARED, cohort_key
from sport_ray.projected_ppo.cohort.tally import Tally


class ProjectedPPOCohortConfig(ProjectedPPOConfig):
    """Configuration of :class:`ProjectedPPOCohort`: ``.cells([config_0, config_1, …])``.

    Each of them is a :class:`ProjectedPPOConfig`, as the single algorithm takes it: what a cell
    is *is* its single configuration.
    """

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or ProjectedPPOCohort)
        self.cohort: tuple[Cell, ...] = ()
        self.lockstep: bool | None = None
        """Whether all cells take each step together, on the learner's device; None: on a GPU."""

    def cells(self, configs: Sequence[ProjectedPPOConfig]) -> Self:
        """Set the cells, and with them all that they share.

        Raises:
            UserError: no cell, one that can be in no cohort, or two that do not share what a
                cohort must.
        """
        if not configs:
            raise UserError("a cohort needs at least one cell, got none")
        ready: list[ProjectedPPOConfig] = []
        first = ""
        for config in configs:
            one = config.copy(copy_frozen=False)
            key = cohort_key(one)
            if ready and key != first:
                raise UserError(
                    f"cell {len(ready)} of the cohort has another base, architecture, environment "
                    "or batch than cell 0: only cells with the same cohort_key go together"
                )
            first = key
            one.validate()
            ready.append(one)
        shared = ready[0]
        self.cohort = tuple(Cell.of(one) for one in ready)
        for name in ("base", "task", "constraint", "env", "env_config", *SHARED):
            setattr(self, name, getattr(shared, name))
        return self

    def validate(self) -> None:
        """Refuse what would void the certificate, and a cohort without cells.

        Raises:
            UserError: no cells.
        """
        if not self.cohort:
            raise UserError("a cohort needs its cells: call .cells([config, …])")
        self.env_runner_cls = None
        super().validate()
        self.env_runner_cls = CohortRunner
        # There are no connectors whose states runners could share.
        self.merge_env_runner_states = False
        self.broadcast_env_runner_states = False
        self._dont_auto_sync_env_runner_states = True

    def get_default_learner_class(self) -> type[CohortLearner]:
        """The learner of all cells."""
        return CohortLearner

    def contexts(self) -> list[dict[str, Any]]:
        """What each cell's training environments are told."""
        return [
            {**self.env_config, "constraint": cell.constraint.to_json()} for cell in self.cohort
        ]


class ProjectedPPOCohort(PPO):
    """Projected PPO of K cells side by side; ``train()["cells"]`` is a list of their metrics.

    Given its seed, a cell takes the steps that :class:`~sport_ray.projected_ppo.ProjectedPPO`
    takes with the cell's configuration, and its updates agree but for rounding. A cell that fails
    ends alone. On a CPU its numbers are the same to the bit whatever the other cells are. On a GPU
    all cells go in lockstep where they can (``sport_ray.projected_ppo.cohort.device``): the same
    algorithm, with other draws.
    """

    config: ProjectedPPOCohortConfig

    @classmethod
    def get_default_config(cls) -> ProjectedPPOCohortConfig:
        """The paper's configuration, without cells."""
        return ProjectedPPOCohortConfig()

    def setup(self, config: Any) -> None:
        """As RLlib's; then the runners get the learner's weights."""
        self._errors: Errors = {}
        self._lockstep: DeviceCohort | None = None
        super().setup(config)
        window = self.config.metrics_num_episodes_for_smoothing
        self._tallies = [Tally(window) for _ in self.config.cohort]
        learner: CohortLearner = self.learner_group._learner
        self._lockstep = lockstep_of(
            self.config, self.config.cohort, learner.learning.device, self.config.lockstep
        )
        self._told: list[Metrics] = [one.result() for one in self._tallies]
        self._sync()

    def training_step(self) -> None:
        """Sample a batch for every cell, update every cell, hand the weights on.

        Raises:
            Exception: the first cell's error, once all cells have failed.
        """
        if self._lockstep is not None:
            self._step_together(self._lockstep)
            return
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            samples = self._sample()
            self._tally(samples)
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            (found,) = self.learner_group.update(
                episodes=samples,
                timesteps={CELLS: [one.env_steps for one in self._tallies]},
            )
        for cell, metrics in found[CELLS].items():
            self._tallies[cell].metrics = metrics
        self._errors |= found[ERRORS]
        if len(self._errors) == len(self._tallies):
            raise self._errors[min(self._errors)]
        with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
            self._sync()

    def _step_together(self, lockstep: DeviceCohort) -> None:
        """One iteration of all cells on their device, and what became of them."""
        before = self._told
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            lockstep.iterate()
            self._told, self._errors = lockstep.results(), lockstep.errors()
        for name, throughput in (
            (NUM_ENV_STEPS_SAMPLED_LIFETIME, True),
            (NUM_EPISODES_LIFETIME, False),
        ):
            new = sum(int(one[name] or 0) for one in self._told)
            new -= sum(int(one[name] or 0) for one in before)
            self.metrics.log_value(
                (ENV_RUNNER_RESULTS, name), new, reduce="lifetime_sum", with_throughput=throughput
            )
        if len(self._errors) == len(self._told):
            raise self._errors[min(self._errors)]

    def _sample(self) -> list[CohortSample]:
        """What each runner sampled."""
        group, dropped = self.env_runner_group, sorted(self._errors)
        if not group.num_remote_workers():
            return [group.local_env_runner.sample(dropped=dropped)]
        found: list[CohortSample] = group.foreach_env_runner(
            lambda runner: runner.sample(dropped=dropped),
            local_env_runner=False,
            timeout_seconds=self.config.sample_timeout_s,
        )
        if len(found) < group.num_remote_workers():
            raise TimeoutError(
                f"{len(found)} of {group.num_remote_workers()} runners sampled within "
                f"{self.config.sample_timeout_s} s: raise sample_timeout_s"
            )
        return found

    def _tally(self, samples: list[CohortSample]) -> None:
        for sample in samples:
            for cell, error in sample.errors.items():
                self._errors.setdefault(cell, error)
        for tally in self._tallies:
            tally.begin()
        for sample in samples:
            episodes = 0
            for cell, tally in enumerate(self._tallies):
                fragment = sample.fragments[cell]
                if cell in self._errors or fragment is None:
                    continue
                finished = sample.finished[cell]
                tally.add(len(fragment), finished, sample.violations[cell])
                episodes += len(finished)
            total = (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME)
            self.metrics.log_value(total, len(sample), reduce="lifetime_sum", with_throughput=True)
            self.metrics.log_value(
                (ENV_RUNNER_RESULTS, NUM_EPISODES_LIFETIME), episodes, reduce="lifetime_sum"
            )

    def _sync(self) -> None:
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group, inference_only=True
        )

    def step(self) -> dict[str, Any]:
        """RLlib's result, whose ``"cells"`` is a list of each cell's metrics."""
        result: dict[str, Any] = super().step()
        together = self._lockstep is not None
        result["cells"] = self._told if together else [one.result() for one in self._tallies]
        return result

    def cleanup(self) -> None:
        """Let go of what was built."""
        if self._lockstep is not None:
            self._lockstep.close()
        super().cleanup()

    def policy(self, cell: int) -> PolicyNetwork:
        """A copy of the task policy π_task of a cell as it is now, or was when the cell failed."""
        if self._lockstep is not None:
            return self._lockstep.policy(cell)
        learner: CohortLearner = self.learner_group._learner
        return policy_of(self.config.cohort, learner.learning.actors, cell)

    def error(self, cell: int) -> Exception | None:
        """What ended a cell's training; None while it goes on."""
        return self._errors.get(cell)

    def base_fingerprint(self) -> str:
        """sha256 of the base policy's weights as the runners hold them; "" without a base.

        Raises:
            ArithmeticError: runners that hold different ones.
        """
        if self._lockstep is not None:
            return self._lockstep.base_fingerprint()
        prints = self.env_runner_group.foreach_env_runner(lambda runner: runner.base_fingerprint())
        if len(set(prints)) != 1:
            raise ArithmeticError(f"workers hold different base policies: {sorted(set(prints))}")
        found: str = prints[0]
        return found
