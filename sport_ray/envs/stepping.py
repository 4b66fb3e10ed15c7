"""The one layer between this project and any gymnasium environment: what goes in, what comes out.

Certification, training and evaluation all step environments through :class:`Stepping`: whatever an
environment does with the action that it is given, however it says what happened, and whatever goes
wrong in it, is the same for all of them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from sport_ray.envs.bridges import bridged
from sport_ray.envs.faults import EnvironmentFault, is_ours_to_heed, what_happened
from sport_ray.envs.flatten import Flattening
from sport_ray.envs.spaces import as_action, as_observation, require_numbers
from sport_ray.envs.values import described, flag, number, proposition, robustness_of
from sport_ray.errors import UserError

Observation = NDArray[Any]
Converted = TypeVar("Converted")


class Stepping(gymnasium.Wrapper[Observation, Any, Observation, Any]):
    """An environment whose author may have had other habits than ours.

    In: the action as a fresh array of the action space's dtype; ``options`` only to those who take
    them. Out: observations as fresh vectors of the observation space's dtype, flattened where they
    are none (``observation_space`` is then a :class:`~sport_ray.envs.flatten.FlatBox`); the reward
    a finite float; ends as bool; ``info["signals"]`` as floats (True is +1, False −1), and
    ``info["cost"]`` a float where it is a number.

    booleans: for each signal seen so far, whether it is given as a Boolean; copies of one
    environment share it.
    place: what messages call the episode; by default its number.

    Raises:
        EnvironmentFault: at reset and step, what the environment raised (kept as ``__cause__``) or
            returned that is none of the above.
        UserError: spaces that no policy here can see or act in.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        env_id: str,
        *,
        copy: int | None = None,
        booleans: dict[str, bool] | None = None,
    ) -> None:
        flattening = Flattening.needed(env_id, getattr(env, "observation_space", None))
        require_numbers(env_id, getattr(env, "action_space", None))
        super().__init__(bridged(env))
        self.flattening = flattening
        """How observations that are no vectors become such; None where they are."""
        if flattening is not None:
            self.observation_space = flattening.box(env.observation_space)
        self.env_id = env_id
        self.booleans = {} if booleans is None else booleans
        self.place: str | None = None
        self._copy = copy
        self._action_dtype: np.dtype[Any] = np.dtype(env.action_space.dtype)
        self._episode = 0
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode."""
        self._episode += 1
        self._steps = 0
        observation, info = self._call(lambda: self.env.reset(seed=seed, options=options))
        return self._read(lambda: (self._seen(observation), self._checked_info(info)))

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One step."""
        self._steps += 1
        given = as_action(action, self._action_dtype)
        if isinstance(self.env.action_space, spaces.Discrete) and given.size == 1:
            given = given.reshape(())[()]  # an index is a number to the environment, no array
        if given.shape != self.env.action_space.shape:
            raise self.fault(
                f"it takes actions of shape {self.env.action_space.shape}, the policy gives "
                f"{given.shape}"
            )
        observation, reward, terminated, truncated, info = self._call(lambda: self.env.step(given))
        return self._read(
            lambda: (
                self._seen(observation),
                self._paid(reward),
                flag("terminated", terminated),
                flag("truncated", truncated),
                self._checked_info(info),
            )
        )

    def close(self) -> None:
        """Close the environment; one that cannot even do that has no say in any number."""
        try:
            super().close()  # type: ignore[no-untyped-call]
        except BaseException as error:
            if is_ours_to_heed(error):
                raise
            warnings.warn(
                f"environment {self.env_id!r} cannot be closed: {what_happened(error)}",
                stacklevel=2,
            )

    def fault(self, what: str) -> EnvironmentFault:
        """The error for something that happened now."""
        place = self.place or f"episode {self._episode}"
        if self._copy is not None and self.place is None:
            place = f"copy {self._copy + 1}, {place}"
        when = f"step {self._steps}" if self._steps else "at reset"
        return EnvironmentFault(f"environment {self.env_id!r}, {place}, {when}: {what}")

    def _call(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except BaseException as error:
            if is_ours_to_heed(error):
                raise
            raise self.fault(what_happened(error) + self._alone()) from error

    def _read(self, convert: Callable[[], Converted]) -> Converted:
        try:
            return convert()
        except EnvironmentFault:
            raise
        except UserError as error:
            raise self.fault(str(error)) from None

    def _alone(self) -> str:
        """A hint where this copy cannot start although the first one could."""
        if not self._copy or self._episode > 1 or self._steps:
            return ""
        return f" ({only(self._copy)})"

    def _seen(self, observation: Any) -> Observation:
        if self.flattening is None:
            seen = as_observation(observation, self.env.observation_space)  # type: ignore[arg-type]
        else:
            seen = self.flattening(observation)
        with np.errstate(over="ignore"):
            finite = np.isfinite(seen.astype(np.float32))  # what policies take
        if not finite.all():
            entry = int(np.argmin(finite))
            at = f"entry {entry}" if self.flattening is None else self.flattening.entry(entry)
            raise UserError(
                f"the observation is {seen[entry]:g} at {at}: it must be finite in float32"
            )
        return seen

    def _paid(self, reward: Any) -> float:
        paid = number("the reward", reward)
        if not math.isfinite(paid):
            raise UserError(f"the reward is {paid}: rewards must be finite")
        return paid

    def _checked_info(self, info: Mapping[str, Any]) -> dict[str, Any]:
        told = dict(info)
        if "signals" in told:
            told["signals"] = self._signals(told["signals"])
        if "cost" in told:
            with suppress(UserError):  # perhaps somebody else's word: only a number is a cost
                told["cost"] = number("cost", told["cost"])
        return told

    def _signals(self, signals: Any) -> dict[str, float]:
        if not isinstance(signals, Mapping):
            raise UserError(
                f'info["signals"] is a {type(signals).__name__}: expected a dict with a number or '
                "a Boolean for each proposition"
            )
        found = {}
        for name, value in signals.items():
            if not isinstance(name, str):
                raise UserError(
                    f'info["signals"] has the key {described(name)}: a proposition\'s name is text'
                )
            meant = proposition(name, value)
            boolean = isinstance(meant, bool)
            if self.booleans.setdefault(name, boolean) != boolean:
                both = f"a Boolean in one state and the number {value!r}"
                if boolean:
                    both = f"a number in one state and {meant}"
                raise UserError(
                    f"signal {name!r} is {both} in another: give the one or the other, since "
                    "False does not hold and 0 does"
                )
            found[name] = robustness_of(meant)
        return found


def only(copies: int) -> str:
    """The remedy where no more copies of an environment can exist."""
    could = "the first copy" if copies == 1 else f"{copies} copies"
    return f"{could} could: if no more can exist at a time, set environment.copies: {copies}"
