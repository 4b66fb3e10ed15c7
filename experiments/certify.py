"""The certificate stage: scenarios of the base on Ray workers, then the file."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from experiments.results import ResultFolder
from sport_ray.canonical import write_atomic
from sport_ray.certificates import (
    Certificate,
    build_certificate,
    load_certificate,
    save_certificate,
)
from sport_ray.policies import FrozenGaussian, PolicyFile
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan
from sport_ray.rollouts.workers import run_scenarios_on_ray
from sport_ray.versions import versions


def certification_plan(folder: ResultFolder) -> ScenarioPlan:
    """The scenarios that the study's certificate rests on."""
    study = folder.study
    return ScenarioPlan(
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property=study.property,
        horizon=study.certificate.max_horizon,
        root_seed=study.certificate.root_seed,
        purpose="certify",
    )


def certify(
    folder: ResultFolder, base: PolicyFile, progress: Callable[[int], None] | None = None
) -> Certificate:
    """Run the scenarios and write ``certificate.json`` and the outcome table; needs Ray."""
    plan = certification_plan(folder)
    settings = folder.study.certificate
    behaviour = BaseBehaviour(FrozenGaussian(base.network))
    outcomes = run_scenarios_on_ray(plan, behaviour, settings.num_scenarios, progress=progress)
    certificate = build_certificate(
        plan,
        outcomes,
        planned=settings.num_scenarios,
        beta=settings.beta,
        base_digest=base.digest,
        versions=versions(),
    )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **outcomes.to_arrays())
    write_atomic(folder.root / "certificate_outcomes.npz", buffer.getvalue())
    save_certificate(folder.certificate, certificate)
    return certificate


def load_matching(folder: ResultFolder, base: PolicyFile) -> Certificate:
    """The folder's certificate, if it is for this base, environment, property and section.

    Raises:
        UserError: none there, altered, or for something else.
    """
    certificate = load_certificate(folder.certificate)
    study = folder.study
    certificate.require_match(
        base_digest=base.digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
    )
    certificate.require_settings(**study.certificate.model_dump())
    return certificate
