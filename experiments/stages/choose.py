"""The choice stage: pick the horizon, and among base policies, on scenarios of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sport_ray.canonical import write_json
from sport_ray.certificates import Candidate, Choice
from sport_ray.certificates.choice import choose_horizon
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.results.folder import StudyFolder, read_model
from sport_ray.experiments.stages.scenarios import stream_scenarios
from sport_ray.rollouts import ScenarioPlan, Tally, base_behaviour
from sport_ray.rollouts.streaming import counting
from sport_ray.samplers import BaseFile


def choose(
    folder: StudyFolder,
    plan: ScenarioPlan,
    candidates: dict[str, BaseFile],
    progress: Callable[[int], None] | None = None,
    need: RayWhenNeeded | None = None,
) -> Choice:
    """Try each candidate base on scenarios of the purpose 'choose' and keep the best.

    Best: the (base, T) that permits the largest α at ε_max, with the scenario bound at β of each
    candidate's own table. Writes ``choice.json``.

    Raises:
        UserError: no candidate reaches ε_max at any horizon.
    """
    settings = folder.study.certificate
    asked = settings.choose
    assert asked is not None
    if plan.purpose != "choose":
        raise ValueError(f"scenarios for {plan.purpose!r} cannot choose: they have another use")
    tried: list[Candidate] = []
    for name, base in candidates.items():
        behaviour = base_behaviour(base, run_module=True)
        stream = stream_scenarios(
            plan, behaviour, asked.num_scenarios, progress=progress, need=need
        )
        tally = Tally()
        horizon, log_alpha = choose_horizon(
            counting(stream, tally), plan.horizon, settings.beta, asked.eps_max
        )
        tally.require_complete(asked.num_scenarios)
        tried.append(
            Candidate(base=name, base_digest=base.digest, horizon=horizon, log_alpha=log_alpha)
        )
    best = max(tried, key=lambda c: -math.inf if c.log_alpha is None else c.log_alpha)
    if best.log_alpha is None:
        raise UserError(
            f"eps_max = {asked.eps_max} cannot be reached at any horizon up to {plan.horizon} by "
            f"{', '.join(candidates)}: raise certificate.choose.eps_max, or its num_scenarios"
        )
    choice = Choice(
        **_wanted(folder, plan),
        base_digest=best.base_digest,
        horizon=best.horizon,
        candidates=tried,
    )
    write_json(folder.choice, choice.model_dump(mode="json"))
    return choice


def _wanted(folder: StudyFolder, plan: ScenarioPlan) -> dict[str, Any]:
    """What a choice depends on beside the policies."""
    settings = folder.study.certificate
    assert settings.choose is not None
    return {
        "eps_max": settings.choose.eps_max,
        "num_scenarios": settings.choose.num_scenarios,
        "beta": settings.beta,
        "max_horizon": plan.horizon,
        "env_id": plan.env_id,
        "env_kwargs": plan.env_kwargs,
        "property": plan.property,
        "root_seed": plan.root_seed,
    }


def load_choice(folder: StudyFolder, plan: ScenarioPlan) -> Choice | None:
    """The folder's choice, or None for a study that asks for none.

    Raises:
        UserError: not made yet, damaged, or made with other settings.
    """
    settings = folder.study.certificate
    if settings.choose is None:
        return None
    choice = read_model(folder.choice, Choice)
    if choice is None:
        raise UserError(
            "the study asks to choose a horizon, and nothing is chosen yet: run `sport-ray certify`"
        )
    wanted = _wanted(folder, plan)
    differs = [name for name, value in wanted.items() if getattr(choice, name) != value]
    if [candidate.base for candidate in choice.candidates] != folder.study.base_candidates:
        differs.append("bases")
    if differs:
        raise UserError(
            f"{folder.choice} was made with another {differs[0]} than the study has now: "
            "choose another folder with --results"
        )
    return choice
