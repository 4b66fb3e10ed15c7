"""Give any gymnasium environment the signals that properties are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from sport_ray.envs.declared import declared_by
from sport_ray.envs.faults import is_ours_to_heed, what_happened
from sport_ray.envs.signal_arguments import arguments_of
from sport_ray.envs.values import described, number, proposition
from sport_ray.errors import UserError

Signal = Callable[..., Any]
"""A proposition: f(obs), f(obs, info) or f(env); True or positive where it holds."""

COST = "cost"
"""The one key of ``info`` that has a meaning of its own: a charge, 0 where there is none."""


class Labelled(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that also says, in every state, what holds there: ``info["signals"]``.

    ``signals`` maps each proposition's name to its function. A function whose parameters are
    called ``obs``, ``info`` or ``env`` is given the observation as ``env`` made it (a dict, say),
    its info, or ``env`` itself in the state that it is in (the simulator: ``env.unwrapped``).
    Other names: one parameter is the observation, two are observation and info.
    ``from_info`` maps a proposition's name to the key of ``info`` that holds its value.

    A value is a Boolean (Python's or NumPy's), or a number: positive where the proposition holds
    and negative where it does not, in any unit (the property's robustness is in the same). True
    is +1 and False −1; at a number that is 0 the proposition *holds*. Only ``info["cost"]`` is a
    charge instead, as everywhere: it is read as the Boolean cost > 0.

    Signals that the environment gives itself are kept, but for those of the same name. A signal
    that is NaN is refused where scenarios are judged.

    Raises:
        UserError: no signals, one that is not callable, whose parameters do not tell what it is to
            be given, or that is told twice; a vector of environments. At reset and step, a signal
            that is neither a Boolean nor one number, a key that is not in ``info``, a cost below
            0 or NaN, and what a function raised (kept as ``__cause__``).

    >>> env = Labelled(gymnasium.make("Pendulum-v1"), {"fast": lambda seen: abs(seen[2]) - 6.0})
    >>> _, info = env.reset(seed=0)
    >>> sorted(info["signals"]), info["signals"]["fast"] < 0
    (['fast'], True)
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        signals: Mapping[str, Signal] | None = None,
        *,
        from_info: Mapping[str, str] | None = None,
    ) -> None:
        if isinstance(env, VectorEnv):
            raise UserError(
                f"Labelled: {type(env).__name__} is many environments: label the single one, in "
                "the function that makes it"
            )
        super().__init__(env)
        self.signals = dict(signals or {})
        self.from_info = dict(from_info or {})
        if not self.signals and not self.from_info:
            raise UserError("signals: expected at least one, got none")
        if twice := sorted(set(self.signals) & set(self.from_info)):
            raise UserError(f"signal {twice[0]!r} is in signals and in from_info: remove one")
        for name, key in self.from_info.items():
            if not isinstance(key, str):
                raise UserError(
                    f"from_info: {name!r} is {described(key)}, expected a key of info, a text"
                )
        for name, signal in self.signals.items():
            if not callable(signal):
                raise UserError(f"signals: {name!r} is {described(signal)}, expected a function")
        self._arguments = {name: arguments_of(name, one) for name, one in self.signals.items()}
        self._given = env  # what is below may get another layer around it later

    @property
    def signal_names(self) -> tuple[str, ...]:
        """The propositions that are known before a reset: its own, and those ``env`` declares."""
        return tuple(sorted({*self.signals, *self.from_info, *(declared_by(self.env) or ())}))

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Start an episode; ``info`` has the signals of its first state."""
        observation, info = self.env.reset(**kwargs)
        return observation, self._label(observation, info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step; ``info`` has the signals of the state that it leads to."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._label(observation, info)

    def _label(self, observation: Any, info: dict[str, Any]) -> dict[str, Any]:
        given = {"obs": observation, "info": info, "env": self._given}
        values = {name: proposition(name, self._called(name, given)) for name in self.signals}
        values |= {name: _told(name, key, info) for name, key in self.from_info.items()}
        return {**info, "signals": {**info.get("signals", {}), **values}}

    def _called(self, name: str, given: Mapping[str, Any]) -> Any:
        arguments = self._arguments[name]
        try:
            return self.signals[name](
                *(given[one] for one in arguments.in_order),
                **{key: given[one] for key, one in arguments.by_name},
            )
        except BaseException as error:
            if is_ours_to_heed(error):
                raise
            hint = ""
            if arguments.takes_env and isinstance(error, AttributeError):
                hint = " (env is what Labelled was given; the simulator is env.unwrapped)"
            raise UserError(f"signal {name!r}: {what_happened(error)}{hint}") from error


def _told(name: str, key: str, info: Mapping[str, Any]) -> bool | float:
    """The value of a signal that is ``info[key]``."""
    if key not in info:
        keys = ", ".join(sorted(map(repr, info))) or "nothing"
        raise UserError(
            f"signal {name!r} is info[{key!r}], which is not there; info holds {keys}: name one of "
            "these, give it in reset's info as in step's, or write a function f(obs, info)"
        )
    value = proposition(name, info[key])
    if key != COST or isinstance(value, bool):
        return value
    cost = number(f"info[{key!r}]", value)
    if not cost >= 0.0:
        raise UserError(
            f"signal {name!r} is info['cost'], which is {cost:g}: a cost is 0 or more and holds "
            "above 0; for a margin with a sign write a function f(obs, info)"
        )
    return cost > 0.0
