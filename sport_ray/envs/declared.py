"""The signals that an environment declares, so that a property's names are checked before it runs.

``signal_names``, a tuple of texts, on the environment, on one of its wrappers, or on the class or
function that makes it. Tensor environments have it anyway, ``Labelled`` knows its own.
"""

from __future__ import annotations

import sys
from typing import Any

from sport_ray.envs.registration import ENV_ID as POINT_ROBOT
from sport_ray.tensors.registry import SINGLE

POINT_ROBOT_SIGNALS = ("hazard", "goal")


def declared_by(owner: Any) -> tuple[str, ...] | None:
    """The signals that an environment, its class or a function declares; None where it does not.

    Of wrappers, the outermost one that declares any.
    """
    while owner is not None:
        names = getattr(owner, "signal_names", None)
        if isinstance(names, tuple | list) and all(isinstance(name, str) for name in names):
            return tuple(names)
        owner = getattr(owner, "env", None)
    return None


def declared_signals(env_id: str) -> tuple[str, ...] | None:
    """The signals of an environment that is known to this process: nothing is imported or made.

    The point robot's; of what is registered those that its class or function declares, if that
    was imported already. None: nothing is known, ask the environment.
    """
    if env_id == POINT_ROBOT:
        return POINT_ROBOT_SIGNALS
    gymnasium = sys.modules.get("gymnasium")
    module, _, name = env_id.rpartition(":")
    if gymnasium is None or (module and module not in sys.modules):
        return None
    spec = gymnasium.registry.get(name)
    if spec is None:
        return None
    entry = spec.kwargs.get("factory") if spec.entry_point == SINGLE else spec.entry_point
    if isinstance(entry, str):
        where, _, attribute = entry.partition(":")
        entry = getattr(sys.modules.get(where), attribute, None)
    return declared_by(entry)
