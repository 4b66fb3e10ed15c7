"""A cell's scenarios where its process has a GPU and its environment a form on tensors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import torch

from sport_ray.experiments.config.study import Study
from sport_ray.rollouts import Behaviour, Outcomes, ScenarioPlan, Tally, run_scenarios
from sport_ray.rollouts.scenarios import Observer
from sport_ray.rollouts.streaming import portions_here
from sport_ray.tensors.running import can_run, run_tensor_scenarios


def cell_scenarios(
    study: Study,
    plan: ScenarioPlan,
    behaviour: Behaviour,
    count: int,
    observer: Observer,
    pictured: int,
    tally: Tally,
) -> Generator[int, None, Outcomes]:
    """Scenarios 0 … count − 1 of a cell; ``observer`` sees the first ``pictured`` at least.

    Yields how many more have run, every few seconds.

    On a GPU what is observed runs once more on the CPU: the same scenarios, where the last bits of
    a step may differ.
    """
    here = study.resources.gpus_per_cell > 0.0 and torch.cuda.is_available()
    if not (here and can_run(plan, behaviour)):
        found = []
        with closing(portions_here(plan, behaviour, count, observer=observer)) as parts:
            for outcomes, counted in parts:
                found.append(outcomes)
                tally.add(counted)
                yield outcomes.num_scenarios
        return Outcomes.concatenate(found)
    run_scenarios(plan, behaviour, 0, min(count, pictured), observer=observer)
    outcomes = run_tensor_scenarios(plan, behaviour, 0, count, device="cuda", tally=tally)
    yield count
    return outcomes
