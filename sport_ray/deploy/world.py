"""The world of a bundle beside the certificate's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sport_ray.canonical import canonical_json
from sport_ray.envs.perturbation import perturbation_ratios
from sport_ray.errors import UserError
from sport_ray.rollouts.environment import POINT_REACH_AVOID


def require_near(
    env_id: str, certified: Mapping[str, Any], deployed: Mapping[str, Any], alpha_mu: float,
    alpha_p: float,
) -> str:  # fmt: skip
    """Refuse a world of which the ratios α_μ, α_p to the certified one are known to be untrue.

    Returns how they are known, in words: the worlds are one, they are computed, or claimed.

    Raises:
        UserError: other arguments, and α_μ = α_p = 1; or ratios below those of the noise laws.
    """
    if canonical_json(deployed) == canonical_json(certified):
        return "the certified world itself"
    if alpha_mu == alpha_p == 1.0:
        raise UserError(
            f"the world {dict(deployed)} is not the certified one, {dict(certified)}: certify it, "
            "or claim its ratios in the study's deployment section"
        )
    if env_id != POINT_REACH_AVOID:
        return "α_μ and α_p are claimed: nothing here can show them"
    for name, least, given in zip(
        ("alpha_mu", "alpha_p"), perturbation_ratios(certified, deployed), (alpha_mu, alpha_p),
        strict=True,
    ):  # fmt: skip
        if not given >= least:
            raise UserError(f"{name} = {given} is below the ratio of the noise laws, {least:.6g}")
    return "α_μ and α_p are at least the ratios of the noise laws"
