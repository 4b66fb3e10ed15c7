"""Complete scenarios per second in one process, of the base and of a projected policy."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.peers.clock import Measured, repeated
from benchmarks.peers.settings import ENV_ID, Setting

CHUNK = 2_000


class Scenarios:
    """Scenarios of at most 100 steps on the fixed layout, as a certificate has them."""

    def __init__(self, setting: Setting, cells: int, projected: bool = False) -> None:
        from sport_ray.constraints import RatioConstraint
        from sport_ray.policies import FrozenPolicy, load_policy
        from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan

        base = FrozenPolicy(load_policy(setting.base_folder).network)
        self._behaviour = (
            ProjectedBehaviour(base, base, RatioConstraint(alpha=1.5))
            if projected
            else BaseBehaviour(base)
        )
        self._plan = ScenarioPlan(
            env_id=ENV_ID,
            env_kwargs={"layout": "fixed"},
            property="(!hazard) U goal",
            horizon=100,
            root_seed=0,
            purpose="base",
        )
        self._first = self._steps = 0
        self._run()

    def measure(self, seconds: float) -> Measured:
        """Scenarios, and beside how many steps one has on average."""
        before = self._steps
        found = repeated(self._run, seconds)
        return replace(found, others={"steps each": (self._steps - before) / found.count})

    def _run(self) -> float:
        from sport_ray.rollouts import run_scenarios

        found = run_scenarios(self._plan, self._behaviour, self._first, CHUNK)
        self._first += CHUNK
        self._steps += int(found.length.sum())
        return CHUNK
