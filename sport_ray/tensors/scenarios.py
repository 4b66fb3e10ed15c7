"""A tensor environment as scenarios need it: some of its slots at a time, in arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.envs.faults import EnvironmentFault, is_ours_to_heed, what_happened
from sport_ray.envs.flatten import Flattening
from sport_ray.envs.spaces import as_action
from sport_ray.errors import UserError
from sport_ray.rollouts.slots import Slots, Transition
from sport_ray.tensors.episode_seeds import drawn_seed
from sport_ray.tensors.reading import (
    flags,
    floats,
    idle_actions,
    require_starts,
    require_step,
    what_is_wrong,
)
from sport_ray.tensors.registry import make_tensor_environment


class TensorScenarios:
    """The slots of a tensor environment, each with a scenario of its own.

    All slots are stepped together; in those that hold no episode the step means nothing. Actions
    are rounded to the dtype of the action space, as for gymnasium environments, and the seed of an
    episode is drawn from its slot's own generator as for them: a task that has both forms has the
    same scenarios in both.

    Raises:
        UserError: an environment that cannot be made.
        EnvironmentFault: at reset and step, what it raised or handed out that is no TensorStep.
    """

    def __init__(
        self, num_slots: int, env_id: str, kwargs: Mapping[str, Any], horizon: int
    ) -> None:
        self.env_id = env_id
        self.environment = make_tensor_environment(env_id, kwargs, horizon, num_slots)
        self.signal_names = self.environment.signal_names
        self.action_space: gymnasium.spaces.Space[Any] = self.environment.action_space
        self.flattening: Flattening | None = None  # observations are vectors
        self.boolean_signals: frozenset[str] = frozenset()
        self._scenarios: list[int | None] = [None] * num_slots
        self._steps = np.zeros(num_slots, dtype=np.int64)

    def reset(
        self,
        slots: Slots,
        generators: Sequence[np.random.Generator],
        scenarios: Sequence[int] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Start episodes, each with a seed drawn from its slot's own generator."""
        environment = self.environment
        mask = np.zeros(environment.num_slots, dtype=np.bool_)
        seeds = np.zeros(environment.num_slots, dtype=np.int64)
        for row, (slot, generator) in enumerate(zip(slots.tolist(), generators, strict=True)):
            mask[slot], seeds[slot] = True, drawn_seed(generator)
            self._scenarios[slot] = None if scenarios is None else scenarios[row]
        self._steps[slots] = 0
        device = environment.device
        chosen, given = torch.from_numpy(mask).to(device), torch.from_numpy(seeds).to(device)
        observation, signals = self.called(
            lambda: require_starts(environment, environment.reset(chosen, given))
        )
        if signals.dtype == torch.bool:
            self.boolean_signals = frozenset(self.signal_names)
        seen, told = floats(observation)[slots], floats(signals)[slots]
        self._require_right(slots, seen, told)
        return seen, told

    def step(self, slots: Slots, actions: NDArray[np.float64]) -> Transition:
        """One step of each environment; ``slots`` in any order."""
        environment = self.environment
        self._steps[slots] += 1
        control = idle_actions(environment.action_space, environment.num_slots)
        shape = control.shape
        given = as_action(actions, control.dtype)
        if len(shape) == 1 and given.shape[1:] == (1,):
            given = given[:, 0]  # indices
        if given.shape[1:] != shape[1:]:
            raise self._fault(
                f"it takes actions of shape {shape[1:]}, the policy gives {given.shape[1:]}"
            )
        control[slots] = given
        moved = torch.from_numpy(control).to(environment.device)
        step = self.called(lambda: require_step(environment, environment.step(moved)))
        seen, told = floats(step.observation)[slots], floats(step.signals)[slots]
        reward = floats(step.reward)[slots]
        self._require_right(slots, seen, told, reward)
        return Transition(
            seen, told, reward, flags(step.terminated)[slots], flags(step.truncated)[slots]
        )

    def poses(self, slots: Slots) -> NDArray[np.float64] | None:
        """(x, y, heading) of the slots, (m, 3), where the environment has them."""
        poses = getattr(self.environment, "poses", None)
        return None if poses is None else floats(poses())[slots]

    def close(self) -> None:
        """Close the environment, if it can be closed."""
        close = getattr(self.environment, "close", None)
        if close is not None:
            close()

    def refuse(
        self, scenario: int, steps: int, observation: Tensor, signals: Tensor, reward: Tensor | None
    ) -> NoReturn:
        """Name what is wrong with one scenario's numbers (1, O), (1, K), (1,).

        Raises:
            EnvironmentFault: always.
        """
        self._scenarios[0], self._steps[0] = scenario, steps
        given = None if reward is None else floats(reward)
        self._require_right(np.array([0]), floats(observation), floats(signals), given)
        raise self._fault("a number is wrong on its device alone", 0)

    def called(self, act: Any) -> Any:
        """What the environment gives; whatever it raises, as a fault of the environment."""
        try:
            return act()
        except BaseException as error:
            if is_ours_to_heed(error):
                raise
            cause = None if isinstance(error, UserError) else error
            raise self._fault(what_happened(error)) from cause

    def _require_right(
        self,
        slots: Slots,
        observation: NDArray[np.float64],
        signals: NDArray[np.float64],
        reward: NDArray[np.float64] | None = None,
    ) -> None:
        if (wrong := what_is_wrong(self.signal_names, observation, signals, reward)) is not None:
            row, what = wrong
            raise self._fault(what, int(slots[row]))

    def _fault(self, what: str, slot: int | None = None) -> EnvironmentFault:
        if slot is None:
            return EnvironmentFault(f"environment {self.env_id!r}: {what}")
        scenario, steps = self._scenarios[slot], self._steps[slot]
        place = f"slot {slot}" if scenario is None else f"scenario {scenario}"
        when = f"step {steps}" if steps else "at reset"
        return EnvironmentFault(f"environment {self.env_id!r}, {place}, {when}: {what}")
