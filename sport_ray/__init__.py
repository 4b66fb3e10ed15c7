"""Sport-Ray: trade certified risk for task performance, with Projected PPO on Ray.

``Study`` is what the command line does, for notebooks and scripts; the other names are the method
itself. All are imported on first use: numba, torch and Ray load with the modules that need them.

The folders are the steps of the method (arXiv 2504.06386): ``properties`` (what is promised),
``policies`` (the base policy), ``envs``, ``rollouts`` (independent scenarios), ``bounds`` (what
they prove), ``certificates``, ``families`` and ``constraints`` (staying near the base),
``projected_ppo``, ``adapters`` and ``deploy``; ``comparators`` are methods of others.
``experiments`` (what to run) and ``tracking`` (what was found) lie beside this folder in the
repository, and are linked into it.

With this package imported, gymnasium knows the id ``sport_ray/PointReachAvoid-v0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.envs.registration import register_envs_with_gymnasium
from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.bounds import max_alpha, ratio_bound, scenario_bound
    from sport_ray.constraints import RatioConstraint
    from sport_ray.envs.labelled import Labelled
    from sport_ray.envs.registration import register_envs
    from sport_ray.errors import UserError
    from sport_ray.experiments.stages.base import BUNDLED
    from sport_ray.experiments.study import Study
    from sport_ray.policies import FrozenPolicy, load_policy
    from sport_ray.projected_ppo import ProjectedPPOConfig
    from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
    from sport_ray.tracking import load_results, write_report
    from sport_ray.version import __version__

_HOMES = {
    "BUNDLED": "sport_ray.experiments.stages.base",
    "BaseBehaviour": "sport_ray.rollouts",
    "FrozenPolicy": "sport_ray.policies",
    "Labelled": "sport_ray.envs.labelled",
    "ProjectedBehaviour": "sport_ray.rollouts",
    "ProjectedPPOConfig": "sport_ray.projected_ppo",
    "RatioConstraint": "sport_ray.constraints",
    "ScenarioPlan": "sport_ray.rollouts",
    "Study": "sport_ray.experiments.study",
    "UserError": "sport_ray.errors",
    "__version__": "sport_ray.version",
    "load_policy": "sport_ray.policies",
    "load_results": "sport_ray.tracking",
    "max_alpha": "sport_ray.bounds",
    "ratio_bound": "sport_ray.bounds",
    "register_envs": "sport_ray.envs.registration",
    "run_scenarios": "sport_ray.rollouts",
    "scenario_bound": "sport_ray.bounds",
    "write_report": "sport_ray.tracking",
}

__all__ = [
    "BUNDLED",
    "BaseBehaviour",
    "FrozenPolicy",
    "Labelled",
    "ProjectedBehaviour",
    "ProjectedPPOConfig",
    "RatioConstraint",
    "ScenarioPlan",
    "Study",
    "UserError",
    "__version__",
    "load_policy",
    "load_results",
    "max_alpha",
    "ratio_bound",
    "register_envs",
    "run_scenarios",
    "scenario_bound",
    "write_report",
]

register_envs_with_gymnasium()


__getattr__ = names_from(__name__, _HOMES)
