"""How a confidence is spent: in equal shares, on tests of which policies may be kept."""

from __future__ import annotations

import math
from typing import NamedTuple

from sport_ray.bounds import scenario_bound
from sport_ray.bounds.arguments import require_integer, require_open_unit


def split(beta: float, parts: int) -> float:
    """β / parts, rounded down: what each of ``parts`` statements may fail with (union bound).

    Raises:
        ValueError: an argument out of range, by name; or a share too small for a float64.
    """
    beta = require_open_unit("beta", beta)
    share = math.nextafter(beta / require_integer("parts", parts, 1), 0.0)
    if share <= 0.0:
        raise ValueError(f"beta must be larger to be split into {parts} parts, got {beta!r}")
    return share


class Verdict(NamedTuple):
    """The upper bound on a candidate's violation probability, and whether it is within."""

    upper_bound: float
    accepted: bool


class AcceptanceTests:
    """At most ``num_tests`` tests whether a policy violates with probability ≤ max_violation.

    A candidate with k violations in n complete scenarios of its own, drawn after it was chosen,
    is accepted iff the Clopper–Pearson bound U(n, k, β/num_tests) is at most max_violation. With
    probability at least 1 − β every accepted candidate violates with probability at most
    max_violation, however candidates were chosen (proof in docs/comparators.md).

    >>> tests = AcceptanceTests(max_violation=0.05, beta=1e-3, num_tests=2)
    >>> tests.judge(1000, 10).accepted, tests.judge(1000, 60).accepted
    (True, False)
    """

    def __init__(self, max_violation: float, beta: float, num_tests: int) -> None:
        self.max_violation = require_open_unit("max_violation", max_violation)
        self.beta_each = split(beta, num_tests)
        self.left = require_integer("num_tests", num_tests, 1)

    def best_possible(self, num_scenarios: int) -> float:
        """The upper bound without any violation: a limit below it accepts nothing."""
        return scenario_bound(num_scenarios, 0, self.beta_each)

    def judge(self, num_scenarios: int, num_violations: int) -> Verdict:
        """Use up one test.

        Raises:
            ValueError: no test left; the confidence is spent.
        """
        if self.left < 1:
            raise ValueError("num_tests must be larger: every test of this run has been used")
        self.left -= 1
        upper = scenario_bound(num_scenarios, num_violations, self.beta_each)
        return Verdict(upper, upper <= self.max_violation)
