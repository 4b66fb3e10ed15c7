"""What a cell's record must say, computed again from its counts and the certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sport_ray.bounds import scenario_bound
from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.promise import promised
from sport_ray.constraints import constraint_class
from sport_ray.errors import UserError

ROUNDING = 1e-6
"""Relative: another version of a library may round otherwise."""


def derived_numbers(record: Mapping[str, Any], certificate: Certificate) -> dict[str, float | None]:
    """eps_base, beta, log_alpha and prior_bound, empirical_violation_rate and posterior_bound.

    From the record's constraint, T, (α_μ, α_p), counts and posterior β alone; None for a prior
    bound where nothing is promised (or no float is large enough), as in records.

    Raises:
        UserError: a record that lacks one of these, or has something impossible for it.
    """
    try:
        horizon = record["horizon"]
        count, violations = record["num_scenarios"], record["num_violations"]
        alpha = record.get("alpha")  # a budget has none
        constraint = constraint_class(record["constraint"]).from_record(record)
        world = {name: record[name] for name in ("alpha_mu", "alpha_p")}
        prior = promised(certificate, constraint, horizon, **world)
        posterior = scenario_bound(count, violations, record["posterior_beta"])
    except KeyError as error:
        raise UserError(f"the record has no {error.args[0]!r}") from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"the record is not possible: {' '.join(str(error).split())}") from None
    return {
        "eps_base": certificate.eps_base(horizon),
        "beta": certificate.beta,
        "log_alpha": None if alpha is None else math.log(alpha),
        "prior_bound": prior if prior is not None and math.isfinite(prior) else None,
        "empirical_violation_rate": violations / count,
        "posterior_bound": posterior,
    }


def altered_numbers(record: Mapping[str, Any], certificate: Certificate) -> list[str]:
    """Names of the derived numbers of a record that are not what they must be; [] is good.

    Raises:
        UserError: as :func:`derived_numbers`.
    """
    wrong = []
    for name, wanted in derived_numbers(record, certificate).items():
        said = record.get(name)
        number = isinstance(said, int | float) and not isinstance(said, bool)
        if said is None or wanted is None:
            same = said is wanted
        else:
            same = number and math.isclose(said, wanted, rel_tol=ROUNDING)
        if not same:
            wrong.append(name)
    return wrong
