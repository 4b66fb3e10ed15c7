"""Test one limit of a list on scenarios of the base, and keep what the test was made from."""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from sport_ray.bounds.list_evidence import ListEvidence
from sport_ray.canonical import write_atomic
from sport_ray.certificates import Certificate
from sport_ray.experiments.config.environment import world_factor
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.task_policies.task import mixed_seed
from sport_ray.rollouts import Behaviour, ScenarioPlan
from sport_ray.rollouts.capped_ratio import CAPS
from sport_ray.rollouts.shadow import Watched, watching

EVIDENCE = "limit.npz"
"""The file beside a cell's record."""


def list_plan(study: Study, cell: Cell, certificate: Certificate) -> ScenarioPlan:
    """The scenarios that a cell's list is tested on, in the certificate's world."""
    place, task = cell.place, study.task(cell.horizon, cell.seed)
    assert place is not None
    kwargs = study.environment.kwargs
    if place.scenarios == "certificate":
        return task.plan("certify", certificate.root_seed, kwargs)
    root_seed = mixed_seed(study.evaluation.root_seed, int(place.list_id, 16))
    return task.plan("limits", root_seed, kwargs)


def evidence_of(seen: Watched, cell: Cell) -> ListEvidence:
    """What scenarios of the base, watched with ``CAPS``, say of a cell's policy."""
    limit = cell.constraint.path_log_ratio_limit(cell.horizon)
    return ListEvidence(
        log_ratios=seen.log_ratios,
        violated=~seen.outcomes.satisfied_by(cell.horizon),
        capped=seen.capped,
        caps=np.array(CAPS),
        log_ratio_limit=limit if 0.0 < limit < math.inf else None,
    )


def limit_numbers(
    study: Study, cell: Cell, certificate: Certificate, behaviour: Behaviour, evidence: Path
) -> Generator[int, None, dict[str, Any]]:
    """The fields ``limit_…`` of a cell in a list; none of any other. Writes the evidence.

    Yields how many more of its scenarios have run.
    """
    place = cell.place
    if place is None:
        return {}
    plan = list_plan(study, cell, certificate)
    seen = yield from watching(plan, behaviour, place.num_scenarios, first=place.first, caps=CAPS)
    found = evidence_of(seen, cell)
    write_atomic(evidence, found.to_bytes())
    bound = found.bound(place.beta, world_factor(study, cell.horizon))
    return {
        "limit_bound": bound,
        "limit_beta": place.risk_beta,
        "limit_scenarios": place.num_scenarios,
    }
