"""A tensor environment behind gymnasium's vector interface, as training needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sport_ray.envs.faults import EnvironmentFault
from sport_ray.envs.settings import positive_int
from sport_ray.envs.spaces import as_action
from sport_ray.envs.vector_resets import copy_seeds, reset_mask
from sport_ray.errors import UserError
from sport_ray.tensors.environment import TensorEnvironment
from sport_ray.tensors.episode_seeds import EpisodeSeeds
from sport_ray.tensors.reading import (
    flags,
    floats,
    idle_actions,
    require_starts,
    require_step,
    what_is_wrong,
)
from sport_ray.tensors.registry import Factory, make_from


class TensorVectorEnv(VectorEnv[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]):
    """The slots of a tensor environment as ``num_envs`` copies, in arrays on the host.

    Autoreset is NEXT_STEP, the only mode that RLlib handles: the step after an end ignores that
    copy's action and returns the reset observation with reward 0 and no end.

    ``reset(seed=s)`` gives copy i the seed s + i, a list gives each its own. A copy's first episode
    has that seed, the later ones follow from it (:class:`EpisodeSeeds`), whatever the others do.
    The one option is ``reset_mask`` (num_envs,) bool. ``infos`` has gymnasium's vector format:
    ``signals``; ``cost``, 1 where the environment's ``cost_signal`` holds, if it names one; and
    ``pose``, if it has poses.

    horizon: default the environment's own. cut_after: steps after which an episode is truncated
    without the environment's knowledge.

    Raises:
        UserError: attributes, shapes, dtypes or numbers that are not those of a tensor environment.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        factory: Factory | str,
        horizon: int | None = None,
        cut_after: int | None = None,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_envs = positive_int("num_envs", num_envs)
        limit = {} if horizon is None else {"horizon": horizon}
        self.environment = make_from(factory, self.num_envs, {**kwargs, **limit})
        self.cut_after = None if cut_after is None else positive_int("cut_after", cut_after)
        self.render_mode = None if render_mode is None else _no_pictures(render_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = observation_space(self.environment)
        self.single_action_space = self.environment.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

        self._seeds = EpisodeSeeds(self.num_envs)
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self._steps = np.zeros(self.num_envs, dtype=np.int64)
        self._seen = np.zeros((self.num_envs, self.environment.observation_size))
        self._signals = np.zeros((self.num_envs, len(self.environment.signal_names)))
        self._started = False
        self.booleans = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode in every copy, or in those of ``options["reset_mask"]``."""
        mask = self._reset_mask(dict(options or {}))
        seeds, slots = copy_seeds(seed, self.num_envs), np.flatnonzero(mask).tolist()
        self._seeds.give(slots, [seeds[slot] for slot in slots])
        self._start(mask)
        self._started = True
        return self._seen.copy(), self._infos(mask)

    def step(
        self, actions: Any
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """One step of every copy, or a reset of those whose last step was an end."""
        if not self._started:
            raise ResetNeeded("Cannot call env.step() before calling env.reset()")
        environment = self.environment
        idle = idle_actions(environment.action_space, self.num_envs)
        control = as_action(actions, idle.dtype)
        if control.shape != idle.shape:
            raise ValueError(f"actions: expected shape {idle.shape}, got {control.shape}")
        ended = self._ended
        control[ended] = idle[ended]  # what was drawn in a last state is nobody's action
        moved = torch.from_numpy(control).to(environment.device)
        step = require_step(environment, environment.step(moved))
        reward, terminated, truncated = (
            floats(step.reward), flags(step.terminated), flags(step.truncated)
        )  # fmt: skip
        self._seen, self._signals = floats(step.observation), floats(step.signals)
        self._steps += 1
        if self.cut_after is not None:
            truncated |= self._steps >= self.cut_after
        for values in (reward, terminated, truncated):
            values[ended] = 0
        self._require_right(np.flatnonzero(~ended), reward)
        if ended.any():
            self._start(ended)
        self._ended = terminated | truncated
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        return self._seen.copy(), reward, terminated, truncated, self._infos(everyone)

    def end(self, mask: NDArray[np.bool_]) -> None:
        """Take the episodes of copies (n,) as ended: their next step only resets them."""
        self._ended = self._ended | mask

    def go_on(self) -> None:
        """Let the next step be a step everywhere, also after an end."""
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environment, if it can be closed."""
        close = getattr(self.environment, "close", None)
        if close is not None:
            close()

    def _start(self, mask: NDArray[np.bool_]) -> None:
        environment = self.environment
        chosen = torch.from_numpy(mask.copy()).to(environment.device)
        seeds = torch.from_numpy(self._seeds.draw(mask)).to(environment.device)
        observation, signals = require_starts(environment, environment.reset(chosen, seeds))
        self.booleans = signals.dtype == torch.bool
        self._seen[mask], self._signals[mask] = floats(observation)[mask], floats(signals)[mask]
        self._steps[mask] = 0
        self._ended[mask] = False
        self._require_right(np.flatnonzero(mask))

    def _require_right(
        self, copies: NDArray[np.int64], reward: NDArray[np.float64] | None = None
    ) -> None:
        names = self.environment.signal_names
        paid = None if reward is None else reward[copies]
        wrong = what_is_wrong(names, self._seen[copies], self._signals[copies], paid)
        if wrong is not None:
            row, what = wrong
            if self.spec is None:  # of one slot, whose layer says where
                raise UserError(what)
            copy = copies[row]
            when = f"step {self._steps[copy]}" if self._steps[copy] else "at reset"
            raise EnvironmentFault(f"environment {self.spec.id!r}, copy {copy + 1}, {when}: {what}")

    def _infos(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        names, signals = self.environment.signal_names, self._signals.T.copy()
        told: dict[str, Any] = {}
        for name, values in zip(names, signals, strict=True):
            told |= {name: values, f"_{name}": mask}
        infos: dict[str, Any] = {"signals": told, "_signals": mask}
        cost = getattr(self.environment, "cost_signal", None)
        if cost is not None:
            held = signals[names.index(cost)] >= 0.0
            infos |= {"cost": held.astype(np.float64), "_cost": mask}
        poses = getattr(self.environment, "poses", None)
        if poses is not None:
            infos |= {"pose": floats(poses()), "_pose": mask}
        return infos

    def _reset_mask(self, options: dict[str, Any]) -> NDArray[np.bool_]:
        given = options.pop("reset_mask", None)
        if options:
            raise UserError(
                f"reset option {next(iter(options))!r} is unknown: a tensor environment has none "
                "but reset_mask"
            )
        return reset_mask(given, self.num_envs, self._started)


def observation_space(environment: TensorEnvironment) -> spaces.Box:
    """Whatever numbers; in float64, which holds float32 as it is."""
    return spaces.Box(-np.inf, np.inf, (environment.observation_size,), dtype=np.float64)


def _no_pictures(render_mode: str) -> str:
    raise UserError(f"render_mode is {render_mode!r}: a tensor environment draws no pictures")
