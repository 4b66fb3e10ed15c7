"""Rollouts for certificates: independent, complete, sampled scenarios, each with its own seed."""

from sport_ray.rollouts.behaviour import BaseBehaviour, Behaviour, ProjectedBehaviour
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios

__all__ = [
    "BaseBehaviour",
    "Behaviour",
    "Outcomes",
    "ProjectedBehaviour",
    "ScenarioPlan",
    "run_scenarios",
]
