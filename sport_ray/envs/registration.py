"""The gymnasium id of the robot, registered by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

ENV_ID = "sport_ray/PointReachAvoid-v0"


def register_envs() -> None:
    """Register ``sport_ray/PointReachAvoid-v0``, single and vector; calling it again does nothing.

    No ``max_episode_steps``: the horizon is the environment's own, because RLlib's environment
    creators get no TimeLimit wrapper. In a fresh worker process the id is known only after this
    package was imported: name it ``sport_ray:sport_ray/PointReachAvoid-v0`` there.
    """
    import gymnasium

    if ENV_ID in gymnasium.registry:
        return
    gymnasium.register(
        id=ENV_ID,
        entry_point="sport_ray.envs.point_reach_avoid:PointReachAvoidEnv",
        vector_entry_point="sport_ray.envs.vector:PointReachAvoidVectorEnv",
    )


def register_envs_with_gymnasium() -> None:
    """Register now if gymnasium is imported, otherwise as soon as someone imports it.

    To import it here would double the time of ``sport-ray --help``, and gymnasium 1 asks no
    entry points of packages. Without gymnasium (``sport_ray.deploy`` alone) nothing happens.
    """
    if "gymnasium" in sys.modules:
        register_envs()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


class _AfterGymnasium(MetaPathFinder):
    """Finds gymnasium where the other finders do, and registers once it has been executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                register_envs()

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
