"""A limit chosen from data: its confidence on problems solved exactly, lists made to fail it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sport_ray.bounds import (
    beta_for_counts,
    limit_choice,
    off_policy_bound,
    scenario_bound,
)
from sport_ray.bounds.limit_choice import largest_count
from tests.exact_mdp import TrajectoryLaws, keep_ratio, random_mdp, trajectory_laws

BETA = 0.1


def test_it_stops_at_the_first_that_fails():
    looked_at = []

    def bounds():
        for bound in (0.01, 0.1, 0.2, 0.02):
            looked_at.append(bound)
            yield bound

    assert limit_choice(bounds(), 0.1) == 2
    assert looked_at == [0.01, 0.1, 0.2]
    assert limit_choice([], 0.1) == 0
    assert limit_choice([0.05, None, 0.05], 0.1) == 1
    assert limit_choice([0.05, 0.06], 0.1) == 2


@pytest.mark.parametrize(
    ("wrong", "name"),
    [(([0.1], 0.0), "eps_max"), (([0.1], 1.5), "eps_max"), (([math.nan], 0.1), "bounds")],
)
def test_an_argument_out_of_range_is_named(wrong, name):
    with pytest.raises(ValueError, match=rf"^{name} must "):
        limit_choice(*wrong)


def outcomes(law: list[float], n: int):
    """All counts of n paths by their kind, the last kind safe, with their probabilities."""
    chance = stats.multinomial(n, law)
    for first in itertools.product(range(n + 1), repeat=len(law) - 1):
        if sum(first) <= n:
            yield first, float(chance.pmf([*first, n - sum(first)]))


def test_a_list_of_bad_policies_errs_no_oftener_than_one_of_them():
    """Three ways to violate, p each; policy j makes way j likelier by L: its risk is L p > ε.

    Its bound is L times that of p from the count of way j, exact but for the steps of the counts.
    In order, an error needs the *first* bad policy to pass. Choosing the largest that passes, with
    no order, errs nearly three times as often: a negative control.
    """
    n, p, ratio = 22, 0.1, 3.0
    eps = ratio * p * (1.0 - 1e-6)
    bound_of = [ratio * scenario_bound(n, count, BETA) for count in range(n + 1)]
    in_order = any_order = first = 0.0
    for counts, chance in outcomes([p, p, p, 1.0 - 3.0 * p], n):
        bounds = [bound_of[count] for count in counts]
        in_order += chance * (limit_choice(bounds, eps) > 0)
        any_order += chance * any(bound <= eps for bound in bounds)
        first += chance * (bounds[0] <= eps)
    assert 0.9 * BETA < in_order <= BETA
    assert in_order == pytest.approx(first)
    assert any_order > 2.5 * BETA


def test_a_list_may_know_the_count_at_its_price():
    """The list is made for the count that is seen, so as to err; by enumeration of all data.

    One policy makes all violations likelier, another one way to violate. For small counts the
    list begins with the first, for others with the second: what each errs on, together. At
    β/(K + 1) a test that is within β; a negative control without the price is not.
    """
    n, way, other = 22, 0.1, 0.2
    found = list(outcomes([way, other, 1.0 - way - other], n))
    most = largest_count(n, BETA, 0.8)
    for beta, within in ((beta_for_counts(BETA, most), True), (BETA, False)):
        of_all = [scenario_bound(n, count, beta) for count in range(n + 1)]
        erring = 0.0
        for k in range(most + 1):
            of_count = [(counts, chance) for counts, chance in found if sum(counts) == k]
            erring += max(
                sum(chance for counts, chance in of_count if of_all[sum(counts)] < way + other),
                sum(chance for counts, chance in of_count if of_all[counts[0]] < way),
            )
        assert (erring <= BETA) == within


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), good=st.integers(0, 2))
def test_good_policies_before_the_first_bad_one_cost_nothing(seed, good):
    """Lists on exact MDPs, for events at their worst: P(a bad one passes) ≤ β, by enumeration.

    The event is not the property but Neyman and Pearson's: the paths of largest ratio under the
    first bad policy of the list, up to the base's risk, at which the bound is weakest.
    """
    mdp, horizon, n = random_mdp(seed, states=4, actions=2), 2, 12
    rng = np.random.default_rng([seed, 7])
    other = rng.dirichlet(np.full(2, 0.3), (horizon, len(mdp.base)))
    alphas = 1.0 + 0.5 * np.arange(1, 5)
    laws = [_laws(mdp, other, alpha, horizon) for alpha in alphas]
    worst = np.argsort(-laws[good].q / laws[good].p)
    event = np.zeros(len(worst), dtype=bool)
    event[worst[np.cumsum(laws[good].p[worst]) <= 0.35]] = True
    risks = np.array([law.q[event].sum() for law in laws])
    level = float(np.sort(risks)[min(good, 3)]) - 1e-9 if good else float(risks.min()) - 1e-9
    if not 0.0 < level < 1.0:
        return
    # Paths alike for every policy of the list are one kind: verdict and ratios.
    table = np.stack([law.log_ratio for law in laws], axis=1).round(12)
    kinds, index = np.unique(np.column_stack([event, table]), axis=0, return_inverse=True)
    chances = np.bincount(index.ravel(), laws[0].p)
    draws = np.random.default_rng([seed, 8]).multinomial(n * 4, chances, size=120)
    errors = 0
    for counts in draws:
        rows = np.repeat(np.arange(len(kinds)), counts)
        bounds = (
            off_policy_bound(
                kinds[rows, 1 + j], kinds[rows, 0], BETA, min_effective_sample_size=0.0
            ).bound
            for j in range(len(laws))
        )
        passed = limit_choice(bounds, level)
        errors += bool((risks[:passed] > level).any())
    assert stats.binomtest(errors, len(draws), BETA, alternative="greater").pvalue > 1e-6


def _laws(mdp, other, alpha, horizon) -> TrajectoryLaws:
    return trajectory_laws(
        mdp,
        lambda now, state, spent: keep_ratio(mdp.base[state], other[now, state], alpha),
        horizon,
    )


def test_the_largest_count_is_one_that_the_risk_allows():
    for n, eps in ((100, 0.2), (10_000, 0.1), (50, 0.01)):
        k = largest_count(n, 1e-3, eps)
        assert k == 0 or scenario_bound(n, k, 1e-3) <= eps
        assert scenario_bound(n, k + 1, 1e-3) > eps
    assert beta_for_counts(0.1, 0) == 0.1
    with pytest.raises(ValueError, match="largest_count"):
        beta_for_counts(0.1, -1)
