"""Where policies will run, if not in the world of the certificate: what that does to the bound."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from sport_ray.bounds import gaussian_max_ratio, ratio_bound
from sport_ray.envs.perturbation import perturbation_ratios
from sport_ray.errors import UserError
from sport_ray.experiments.config.sections import DeploymentSection, LawChange
from sport_ray.experiments.config.study import Study
from sport_ray.rollouts.environment import POINT_REACH_AVOID


class Perturbation(NamedTuple):
    """Largest density ratios, deployment over base: of initial laws, and per step of dynamics."""

    alpha_mu: float = 1.0
    alpha_p: float = 1.0


def deployment_kwargs(study: Study) -> dict[str, Any]:
    """Environment arguments of the world in which policies are evaluated."""
    deployment = study.deployment
    return {**study.environment.kwargs, **(deployment.kwargs if deployment else {})}


def perturbation(study: Study) -> Perturbation:
    """(α_μ, α_p) of the bound ε_base·α_μ·(α_p·α)^T: (1, 1) where nothing is perturbed.

    Computed from Gaussian laws (of the study, or of the point robot's own arguments), or taken as
    claimed; a claim below what can be computed is refused.

    Raises:
        UserError: a perturbation that has no bound, or whose ratios nobody gives.
    """
    deployment = study.deployment
    if deployment is None:
        return Perturbation()
    computed = _computed(study, deployment)
    values = []
    for name, claimed, found in zip(
        Perturbation._fields, (deployment.alpha_mu, deployment.alpha_p), computed, strict=True
    ):
        if claimed is None and found is None:
            raise UserError(
                f"deployment.kwargs changes {study.environment.id} in a way whose ratio is not "
                f"known: give deployment.{name}, or the Gaussian laws that it is computed from"
            )
        if claimed is not None and found is not None and claimed < found:
            raise UserError(
                f"deployment.{name} = {claimed} is below the ratio of the noise laws, {found:.6g}: "
                "leave it out to have it computed"
            )
        value = claimed if claimed is not None else found
        assert value is not None
        if not math.isfinite(value):
            raise UserError(
                f"deployment has an infinite {name}: there is a bound only where every noise is "
                "smaller at deployment than in the base's world, or has the same law"
            )
        values.append(value)
    return Perturbation(*values)


def world_factor(study: Study, horizon: int) -> float:
    """α_μ α_p^T, rounded up: what any prior bound of the certificate's world is multiplied with.

    A task policy in the perturbed world violates with at most that factor of its probability in
    the certificate's world, whatever keeps that one small.
    """
    return ratio_bound(1.0, 1.0, horizon, **perturbation(study)._asdict())


def _computed(study: Study, deployment: DeploymentSection) -> tuple[float | None, float | None]:
    """Each ratio where it can be computed, else None."""
    if study.environment.id == POINT_REACH_AVOID:
        if deployment.initial_state or deployment.process_noise:
            raise UserError(
                "deployment.initial_state and process_noise are for other environments: the point "
                "robot's laws follow from its arguments (actuation_noise, start_noise, …)"
            )
        return perturbation_ratios(study.environment.kwargs, deployment_kwargs(study))
    unchanged = 1.0 if not deployment.kwargs else None
    initial = _law_ratio(deployment.initial_state)
    process = _law_ratio(deployment.process_noise)
    return (
        unchanged if initial is None else initial,
        unchanged if process is None else process,
    )


def _law_ratio(change: LawChange | None) -> float | None:
    if change is None:
        return None
    return gaussian_max_ratio(
        change.deployment.mean, change.deployment.std, change.base.mean, change.base.std
    )
