"""The largest limit of a list that scenarios of the base allow: tested in order, no correction."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sport_ray.bounds.arguments import (
    require_beta,
    require_integer,
    require_open_unit,
    require_real,
)
from sport_ray.bounds.scenario import scenario_bound
from sport_ray.bounds.search import first_that


def limit_choice(bounds: Iterable[float | None], eps_max: float) -> int:
    """How many policies of a list pass, each tested in its order, up to the first that fails.

    Policy j passes where its bound is a number of at most ε_max; what follows the first failure is
    not looked at. Where each bound fails with probability at most β on its own, every policy that
    passed violates with probability at most ε_max, all of them at once, with confidence 1 − β: an
    error needs the first bad policy of the list to pass. The promise is ε_max: the bound that
    passed is not one of a policy that was chosen by it.

    Args:
        bounds: of the policies in their order, which was written down without the scenarios that
            the bounds are from; None where there is none. Read no further than needed.
        eps_max: acceptable violation probability, in (0, 1], fixed without the scenarios.

    Returns:
        j, 0 to the length of the list: the first j policies pass.

    Raises:
        ValueError: eps_max out of range, or a bound that is not a number, by name.

    Proof: docs/bounds.md, 'A limit from data'. Sources: fixed-sequence testing; Conformal Policy
    Control (arXiv 2603.02196) does the like for an expected risk.

    >>> limit_choice([0.01, 0.04, 0.2, 0.03], 0.1)
    2
    """
    level = require_real("eps_max", eps_max)
    if not 0.0 < level <= 1.0:
        raise ValueError(f"eps_max must lie in (0, 1], got {eps_max!r}")
    passed = 0
    for bound in bounds:
        if bound is None:
            break
        if math.isnan(bound) or bound < 0.0:
            raise ValueError(f"bounds must be probabilities or None, got {bound!r}")
        if bound > level:
            break
        passed += 1
    return passed


def beta_for_counts(beta: float, largest_count: int) -> float:
    """β of one test where the list may depend on the scenarios through a count k ≤ K: β/(K + 1).

    For each k the list is a fixed one, whose choice errs with probability at most β/(K + 1); a
    union over the K + 1 counts. Beyond K nothing is claimed. Rounded down.

    Args:
        beta: probability that the choice errs, in (0, 1).
        largest_count: K ≥ 0, fixed without the scenarios.

    Raises:
        ValueError: an argument out of range, by name; or a share too small to test at.

    Proof: docs/bounds.md, 'A limit from data'.

    >>> beta_for_counts(1e-7, 9)
    1e-08
    """
    share = require_beta("beta", beta) / (require_integer("largest_count", largest_count, 0) + 1)
    return require_beta("beta / (largest_count + 1)", share)


def largest_count(num_scenarios: int, beta: float, eps_max: float) -> int:
    """K: the most violations of N with which a certificate reaches ε_max; 0 if none does.

    No data have a part in it: with more violations than K no list would be tested at all.

    Args:
        num_scenarios: N ≥ 1, fixed beforehand.
        beta: of the certificate's bound.
        eps_max: the largest acceptable risk, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    >>> largest_count(10_000, 1e-7, 0.1)
    847
    """
    number = require_integer("num_scenarios", num_scenarios, 1)
    level = require_open_unit("eps_max", eps_max)
    return first_that(1, number, lambda k: scenario_bound(number, k, beta) > level) - 1
