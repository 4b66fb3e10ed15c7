"""A runner that samples arrays: no connectors, no episode objects, the same random numbers."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.env.env_runner import ENV_STEP_FAILURE
from ray.rllib.utils.metrics import ENV_STEP_TIMER
from torch import Tensor

from sport_ray.errors import UserError
from sport_ray.projected_ppo.environment import counter_of
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.module import POLICY_INPUTS
from sport_ray.projected_ppo.noise_runner import NoiseRunner


class EpisodesSpent(Exception):
    """Training ends here: one more episode would be more than ``most_episodes``."""


class ArrayRunner(NoiseRunner):
    """RLlib's runner whose training samples are one :class:`Fragment` instead of episodes.

    Everything around the sampling (seeds, weights, metrics, callbacks at its end) is RLlib's. The
    noise is drawn as with RLlib's own loop, so with the same seed both take the same steps, to the
    bit. Episodes asked for by number, and all of an evaluation, are sampled by
    RLlib's own loop.
    """

    _needs_initial_reset: bool  # RLlib's own

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        self._started = False
        self.episodes_begun = 0
        """Finished or not."""
        self.steps_taken = 0
        self._observation: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._finished: list[tuple[int, float, float]] = []  # steps, return, seconds
        super().__init__(config=config, **kwargs)

    def make_env(self) -> None:
        """As RLlib's; refuses environments that do not reset on the step after an end."""
        super().make_env()
        self._started = False
        self._counter = None if self.env is None else counter_of(self.env)
        mode = self.env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.NEXT_STEP:
            raise UserError(
                f"the vector environment resets by {mode}: training needs AutoresetMode.NEXT_STEP"
            )

    def _sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> list[Any]:
        if num_timesteps is None or random_actions or self.config.in_evaluation:
            self._started = False  # the arrays' episodes are over
            found: list[Any] = super()._sample(
                num_timesteps=num_timesteps,
                num_episodes=num_episodes,
                explore=explore,
                random_actions=random_actions,
                force_reset=force_reset or not self.config.in_evaluation,
            )
            return found
        if force_reset or self._needs_initial_reset or not self._started:
            self._restart()
        finished = len(self._finished)
        fragment = self._steps(num_timesteps)
        self._log_env_steps(metric=self._metrics_num_env_steps_sampled, num_steps=len(fragment))
        self._increase_sampled_metrics(len(fragment), len(self._finished) - finished)
        return [fragment]

    def _try_env_step(self, actions: Any) -> Any:
        """As RLlib's, without its wrapper: a ``RuntimeError`` that does not say what happened."""
        if self.config.restart_failed_sub_environments:
            return super()._try_env_step(actions)
        with self.metrics.log_time(ENV_STEP_TIMER):
            results = self.env.step(actions)
        self._log_env_steps(metric=self._metrics_num_try_env_step, num_steps=1)
        return results

    def _begin(self, episodes: int) -> None:
        """Count episodes that the next call of the environment begins, if they are allowed."""
        most = getattr(self.config, "most_episodes", None)
        if most is not None and self.episodes_begun + episodes > most:
            raise EpisodesSpent
        self.episodes_begun += episodes

    @property
    def over(self) -> NDArray[np.bool_]:
        """Which copies' episodes ended with their last step, (n,)."""
        return self._over

    def _restart(self) -> None:
        self._begin(self.num_envs)
        seed = self._seed if self._needs_initial_reset else None
        observation, _ = self._try_env_reset(seed=seed, options=None)
        self._needs_initial_reset = False
        self._started = True
        self._observation = _finite_observations(observation)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._returns = np.zeros(self.num_envs)
        self._begun = np.full(self.num_envs, time.perf_counter())

    def _steps(self, at_least: int) -> Fragment:
        """Step all environments until they have taken ``at_least`` steps together."""
        observations = [self._observation]
        acted: list[dict[str, Tensor]] = []
        actions: list[Tensor] = []
        outcomes: list[tuple[NDArray[Any], ...]] = []
        taken: list[NDArray[np.bool_]] = []
        violated: list[NDArray[np.bool_] | None] = []
        count = 0
        while count < at_least:
            self._begin(int(self._over.sum()))  # those that ended begin anew with this step
            with torch.no_grad():
                out = self.module.act(torch.from_numpy(observations[-1]).to(self._device))
                action = self.module.sample(out[Columns.ACTION_DIST_INPUTS])
            step = self._try_env_step(self.module.for_environment(out, action))
            if step == ENV_STEP_FAILURE:  # RLlib made a new environment: what there was is lost
                self._restart()
                observations, count = [self._observation], 0
                for column in (acted, actions, outcomes, taken, violated):
                    column.clear()
                continue
            observation, reward, terminated, truncated, _ = step
            running = ~self._over
            reward = np.where(running, _finite_rewards(reward), 0.0)
            terminated, truncated = terminated & running, truncated & running
            self._observation = _finite_observations(observation)
            observations.append(self._observation)
            acted.append(out)
            actions.append(action)
            outcomes.append((reward, terminated, truncated))
            taken.append(running)
            violated.append(self._entered(running))
            count += int(running.sum())
            self.steps_taken += int(running.sum())
            self._count(running, reward, terminated | truncated)

        def stacked(name: str) -> NDArray[np.float32]:
            return torch.stack([out[name] for out in acted]).cpu().numpy()

        inputs = torch.stack([out[Columns.ACTION_DIST_INPUTS] for out in acted])
        drawn = torch.stack(actions)
        rewards, terminated, truncated = map(np.stack, zip(*outcomes, strict=True))
        told = [one for one in violated if one is not None]
        return Fragment(
            observations=np.stack(observations),
            actions=drawn.cpu().numpy(),
            action_logp=self.module.drawn_from(inputs).log_prob(drawn).cpu().numpy(),
            action_dist_inputs=inputs.cpu().numpy(),
            policy_inputs=stacked(POLICY_INPUTS) if POLICY_INPUTS in acted[0] else None,
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            taken=np.stack(taken),
            violated=np.stack(told) if len(told) == len(violated) else None,
        )

    def _entered(self, running: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Whose violation was settled with the last step, (n,); None where nobody tells."""
        told = None if self._counter is None else self._counter.entered
        return None if told is None else told & running

    def _count(
        self,
        running: NDArray[np.bool_],
        reward: NDArray[np.float64],
        over: NDArray[np.bool_],
    ) -> None:
        """Lengths and returns of episodes; those that ended wait for :meth:`get_metrics`."""
        now = time.perf_counter()
        self._begun[~running] = now  # this step was their reset
        self._lengths += running
        self._returns += reward
        for env in np.flatnonzero(over).tolist():
            episode = (self._lengths[env], self._returns[env], now - self._begun[env])
            self._finished.append((int(episode[0]), float(episode[1]), float(episode[2])))
        self._lengths[over] = 0
        self._returns[over] = 0.0
        self._over = over

    def get_metrics(self) -> Any:
        """RLlib's metrics; of the episodes only those that fit into its window are logged."""
        window = self.config.metrics_num_episodes_for_smoothing
        window = max(1, math.ceil(window / (self.config.num_env_runners or 1)))
        for length, total, seconds in self._finished[-window:]:
            self._log_episode_metrics(length, total, seconds)
        self._finished.clear()
        return super().get_metrics()


def _finite_observations(observation: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what overflows is inf and is refused
        rounded = observation.astype(np.float32)
    if not np.isfinite(rounded).all():
        env, entry = np.argwhere(~np.isfinite(rounded))[0]
        raise UserError(
            f"environment {env} returned the observation {observation[env, entry]} at entry "
            f"{entry}: observations must be finite in float32"
        )
    return rounded


def _finite_rewards(reward: NDArray[np.floating]) -> NDArray[np.float64]:
    if not np.isfinite(reward).all():
        env = int(np.argmin(np.isfinite(reward)))
        raise UserError(
            f"environment {env} returned the reward {reward[env]}: rewards must be finite"
        )
    return reward.astype(np.float64)
