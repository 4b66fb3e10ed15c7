"""Give any gymnasium environment the signals that properties are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from sport_ray.envs.values import proposition

Signal = Callable[[Any], Any]
"""A proposition: a function of the observation, True or positive where it holds."""


class Labelled(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that also says, in every state, what holds there: ``info["signals"]``.

    ``signals`` maps each proposition's name to a function of the observation: a Boolean, or a
    number that is positive where the proposition holds and negative where it does not, in any
    unit (the property's robustness is in the same; a Boolean's is +1 or −1). Signals that the
    environment gives itself are kept, but for those of the same name. A signal that is NaN is
    refused where scenarios are judged.

    Raises:
        ValueError: no signals, or one that is not callable.
        UserError: at reset and step, a signal that is neither a Boolean nor one number.

    >>> env = Labelled(gymnasium.make("Pendulum-v1"), {"fast": lambda seen: abs(seen[2]) - 6.0})
    >>> _, info = env.reset(seed=0)
    >>> sorted(info["signals"]), info["signals"]["fast"] < 0
    (['fast'], True)
    """

    def __init__(self, env: gymnasium.Env[Any, Any], signals: Mapping[str, Signal]) -> None:
        super().__init__(env)
        if not signals:
            raise ValueError("signals: expected at least one, got none")
        for name, signal in signals.items():
            if not callable(signal):
                raise ValueError(f"signals: {name!r} is {signal!r}, expected a function")
        self.signals = dict(signals)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode; ``info`` has the signals of its first state."""
        observation, info = self.env.reset(**kwargs)
        return observation, self._label(observation, info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step; ``info`` has the signals of the state that it leads to."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._label(observation, info)

    def _label(self, observation: Any, info: dict[str, Any]) -> dict[str, Any]:
        values = {
            name: proposition(name, signal(observation)) for name, signal in self.signals.items()
        }
        return {**info, "signals": {**info.get("signals", {}), **values}}
