"""Rollouts for certificates: independent, complete, sampled scenarios, each with its own seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
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

_HOMES = {
    "BaseBehaviour": ".behaviour",
    "Behaviour": ".behaviour",
    "OutcomeTotals": ".totals",
    "Outcomes": ".outcomes",
    "ProjectedBehaviour": ".behaviour",
    "ScenarioAborted": ".tally",
    "ScenarioPlan": ".scenarios",
    "Tally": ".tally",
    "base_behaviour": ".behaviour",
    "run_chosen": ".scenarios",
    "run_scenarios": ".scenarios",
}

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

__getattr__ = names_from(__name__, _HOMES)
