"""What a record's constraint promises, computed again by its class from record and certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sport_ray.bounds import ratio_bound
from sport_ray.constraints import Constraint, Evidence
from sport_ray.errors import UserError

Row = Mapping[str, Any]


def bound_of(kind: type[Constraint], row: Row, certificate: Row | None) -> float | None:
    """The prior bound of a record under a kind of constraint, in the world of deployment.

    None where it cannot be had: a kind that needs more of the certificate than ε_base(T), or
    numbers that the record lacks.
    """
    if not kind.simultaneous and certificate is None:
        return None
    try:
        bound = kind.from_record(row).prior_bound(_evidence(row, certificate))
    except UserError:
        return None
    world = world_of(row)
    return bound if bound is None or world == 1.0 else math.nextafter(bound * world, math.inf)


def world_of(row: Row) -> float:
    """α_μ·α_p^T, what a world costs that is not the certificate's; 1 in that one."""
    return ratio_bound(1.0, 1.0, row["horizon"], alpha_mu=row["alpha_mu"], alpha_p=row["alpha_p"])


def _evidence(row: Row, certificate: Row | None) -> Evidence:
    """What constraints may know of the base; without its certificate ε_base(T) alone."""
    horizon, about = row["horizon"], certificate
    chosen = about is None or about["choice"] is not None
    return Evidence(
        horizon=horizon,
        eps_base=row["eps_base"],
        beta=row["beta"] if about is None or chosen else about["beta"] / about["max_horizon"],
        num_scenarios=about["num_scenarios"] if about else 0,
        num_violations=about["table"]["num_violations"][horizon - 1] if about else 0,
        fixed_number=about is not None and about["sampling"]["rule"] == "fixed",
        settled=tuple(about["table"]["num_settled"][:horizon]) if about else (),
        steps_left=(1.0,),  # shapes how a budget is spent, and no bound
    )
