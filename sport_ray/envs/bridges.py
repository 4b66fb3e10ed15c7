"""Bridges over what an environment's author did otherwise, put between its layers.

gymnasium's own wrappers hand on ``options`` and unpack five values; an environment that knows
neither would fail inside them, with a message about somebody else's code.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium

from sport_ray.envs.values import described
from sport_ray.errors import UserError

_OURS = ("gymnasium.", "sport_ray.")


class Bridge(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Calls an environment's ``reset`` as it is written, and checks the shape of what comes back.

    judged: whether what lies above relies on gymnasium's present interface; another layer of the
        same author may be there to translate.

    Raises:
        UserError: a ``reset`` that takes no seed, or options for one that takes none; a result of
            another shape.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], judged: bool) -> None:
        super().__init__(env)
        self._takes_options = _takes(env, "options")
        self._takes_seed = _takes(env, "seed")
        self._judged = judged

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        given: dict[str, Any] = {}
        if self._takes_seed:
            given["seed"] = seed
        elif seed is not None:
            raise UserError(
                "its reset() takes no seed, so nothing that happens in it can be repeated: write "
                "reset(self, *, seed=None, options=None) and draw from self.np_random"
            )
        if self._takes_options:
            given["options"] = options
        elif options:
            raise UserError(f"its reset() takes no options, {described(options)} are given")
        result = self.env.reset(**given)
        if self._judged and not (
            isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)
        ):
            raise UserError(
                f"reset() returned {described(result)}: expected the pair (observation, info), "
                "info a dict"
            )
        return result

    def step(self, action: Any) -> Any:
        """One step."""
        result = self.env.step(action)
        if not self._judged:
            return result
        if isinstance(result, tuple) and len(result) == 4:
            raise UserError(
                "step() returned 4 values, the interface of gym before 0.26: return observation, "
                "reward, terminated, truncated, info, or wrap the environment with shimmy"
            )
        if not (isinstance(result, tuple) and len(result) == 5 and isinstance(result[4], Mapping)):
            raise UserError(
                f"step() returned {described(result)}: expected observation, reward, terminated, "
                "truncated and info, a dict"
            )
        return result


def bridged(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """The environment with a bridge above each layer that is not gymnasium's own.

    >>> type(bridged(gymnasium.Env())).__name__
    'Bridge'
    """
    above: gymnasium.Wrapper[Any, Any, Any, Any] | None = None
    top = layer = env
    while True:
        below = layer.env if isinstance(layer, gymnasium.Wrapper) else None
        if not _ours(layer):
            bridge = Bridge(layer, judged=above is None or _ours(above))
            if above is None:
                top = bridge
            else:
                above.env = bridge
        if below is None:
            return top
        assert isinstance(layer, gymnasium.Wrapper)
        above, layer = layer, below


def _ours(layer: gymnasium.Env[Any, Any]) -> bool:
    """Whether a layer is a wrapper that follows the present interface."""
    return isinstance(layer, gymnasium.Wrapper) and type(layer).__module__.startswith(_OURS)


def _takes(env: gymnasium.Env[Any, Any], name: str) -> bool:
    try:
        parameters = inspect.signature(env.reset).parameters
    except (TypeError, ValueError):  # nothing to read: built in
        return True
    return name in parameters or any(
        one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()
    )
