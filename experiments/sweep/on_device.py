"""A cell's scenarios where its process has a GPU and its environment a form on tensors."""

from __future__ import annotations

import torch

from sport_ray.experiments.config.study import Study
from sport_ray.rollouts import Behaviour, Outcomes, ScenarioPlan, Tally, run_scenarios
from sport_ray.rollouts.scenarios import Observer
from sport_ray.tensors.running import can_run, run_tensor_scenarios


def cell_scenarios(
    study: Study,
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    observer: Observer,
    pictured: int,
    tally: Tally,
) -> Outcomes:
    """Scenarios 0 … count − 1 of a cell; ``observer`` sees the first ``pictured`` at least.

    On a GPU what is observed runs once more on the CPU: the same scenarios, where the last bits of
    a step may differ.
    """
    here = study.resources.gpus_per_cell > 0.0 and torch.cuda.is_available()
    if not (here and can_run(plan, behaviour)):
        return run_scenarios(plan, behaviour, 0, count, observer=observer, tally=tally)
    run_scenarios(plan, behaviour, 0, min(count, pictured), observer=observer)
    return run_tensor_scenarios(plan, behaviour, 0, count, device="cuda", tally=tally)
