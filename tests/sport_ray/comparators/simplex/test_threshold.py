"""The choice of a threshold: none beyond the first that fails, and what it comes to."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.bounds import scenario_bound
from sport_ray.comparators.simplex import Choice, loosest


def choice(counts: dict[float, int], aim: float, beta: float = 1e-3) -> tuple[Choice, list[float]]:
    asked: list[float] = []

    def violations(threshold: float) -> int:
        asked.append(threshold)
        return counts[threshold]

    return loosest(violations, sorted(counts), 500, aim, beta), asked


def test_it_stops_at_the_first_that_fails():
    found, asked = choice({0.1: 2, 0.2: 100, 0.3: 1}, 0.1)
    assert asked == [0.1, 0.2]
    assert found == Choice(0.1, 2, 2, 102)


def test_where_none_passes_the_base_acts_alone():
    found, asked = choice({0.1: 80, 0.2: 100}, 0.1)
    assert asked == [0.1]
    assert found == Choice(0.0, None, 1, 80)


def test_where_all_pass_it_is_the_last():
    assert choice({0.1: 0, 1.0: 3}, 0.1)[0] == Choice(1.0, 3, 2, 3)


@pytest.mark.parametrize("beta", [1e-3, 0.5])
def test_what_passes_has_a_bound_within_the_aim(beta):
    most = max(k for k in range(500) if scenario_bound(500, k, beta) <= 0.1)
    assert choice({0.2: most}, 0.1, beta)[0].threshold == 0.2
    assert choice({0.2: most + 1}, 0.1, beta)[0].threshold == 0.0
    assert (beta == 0.5) == (most >= 49)  # about the rate itself


def test_a_choice_is_above_the_aim_with_probability_beta_at_most():
    """Among thresholds whose risks rise, all but the first above the aim by a hair."""
    rng, beta, aim = np.random.default_rng(0), 0.1, 0.1
    risks = {0.1: 0.05, 0.2: 0.1001, 0.3: 0.1002, 0.4: 0.1003}
    runs = 2_000
    wrong = sum(
        loosest(lambda t: int(rng.binomial(300, risks[t])), sorted(risks), 300, aim, beta).threshold
        > 0.1
        for _ in range(runs)
    )
    assert 0 < wrong / runs <= beta + 3.0 * np.sqrt(beta * (1.0 - beta) / runs)


def test_thresholds_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="thresholds must rise"):
        loosest(lambda _: 0, [0.2, 0.1], 100, 0.1, 1e-3)
