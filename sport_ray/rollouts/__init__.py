"""Rollouts for certificates: independent, complete, sampled scenarios, each with its own seed."""

from sport_ray.rollouts.behaviour import (
    BaseBehaviour,
    Behaviour,
    ProjectedBehaviour,
    base_behaviour,
)
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_chosen, run_scenarios
from sport_ray.rollouts.tally import ScenarioAborted, Tally
from sport_ray.rollouts.totals import OutcomeTotals

__all__ = [
    "BaseBehaviour",
    "Behaviour",
    "OutcomeTotals",
    "Outcomes",
    "ProjectedBehaviour",
    "ScenarioAborted",
    "ScenarioPlan",
    "Tally",
    "base_behaviour",
    "run_chosen",
    "run_scenarios",
]
