"""The paper's claims as tests: right answers on tables whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sport_ray.tracking.analysis.trends import COLUMNS, page_p_value, sign_flip_p_value, trend_table
from sport_ray.tracking.results.intervals import holm

ALPHAS = (1.0, 2.0, 5.0, 10.0, 100.0)


def cells(seeds: int, steps, rates) -> pd.DataFrame:
    """Finished cells; steps and rates are functions of (method, α, seed)."""
    return pd.DataFrame(
        [
            {
                "status": "finished",
                "constraint": "ratio",
                "eps_max": math.nan,
                "horizon": 21,
                "hyperparameters": None,
                "source": "projected_ppo" if method == "projected_ppo" else "unconstrained",
                "projected": True,
                "alpha": alpha,
                "seed": seed,
                "mean_steps_to_goal": steps(method, alpha, seed),
                "empirical_violation_rate": rates(method, alpha, seed),
            }
            for method in ("projected_ppo", "projected_at_deployment")
            for alpha in ALPHAS
            for seed in range(seeds)
        ]
    )


def noise(seed: int, alpha: float) -> float:
    return float(np.random.default_rng([seed, int(alpha * 10)]).normal())


def test_claims_that_are_true_are_shown_and_estimated() -> None:
    naive = "projected_at_deployment"
    table = trend_table(
        cells(
            10,
            lambda method, alpha, seed: 14.0 - 0.5 * math.log(alpha) + 0.01 * noise(seed, alpha),
            lambda method, alpha, seed: (method == naive) * 0.1 * math.log(alpha),
        )
    )
    time = table[table["statement"].str.startswith("time")]
    assert time["shown"].all()
    assert list(time["estimate"].round(1)) == [-0.5, -0.5]
    assert ((time["low"] <= time["estimate"]) & (time["estimate"] <= time["high"])).all()
    risk = table[table["statement"].str.startswith("violation")].set_index("method")
    assert risk.loc[naive, "shown"]
    assert not risk.loc["projected_ppo", "shown"]
    safer = table[table["method"] == "both"]
    assert list(safer["alphas"]) == ["5", "10", "100"]  # from the α on where they differ
    assert (safer["p_value"] == 1 / 1024).all()
    assert np.allclose(safer["estimate"], [-0.1 * math.log(a) for a in (5, 10, 100)])


def test_a_claim_that_is_false_is_not_shown() -> None:
    backwards = trend_table(
        cells(10, lambda m, alpha, seed: 14.0 + alpha, lambda m, alpha, seed: 1.0 / alpha)
    )
    assert not backwards["shown"].any()
    assert (backwards["p_value"] > 0.5).all()


def test_noise_is_rarely_called_a_trend() -> None:
    """Of 200 studies without any trend at most a few have a claim shown (level 5% of all)."""
    shown = 0
    for study in range(200):
        rng = np.random.default_rng(study)
        found = trend_table(
            cells(6, lambda m, a, s, rng=rng: rng.normal(), lambda m, a, s, rng=rng: rng.random())
        )
        shown += bool(found["shown"].any())
    assert shown <= stats.binom.ppf(0.9999, 200, 0.05)


def test_too_few_seeds_or_alphas_give_no_statement() -> None:
    few = cells(2, lambda m, a, s: 14.0 - a, lambda m, a, s: a / 200)
    assert trend_table(few).empty
    two = cells(5, lambda m, a, s: 14.0 - a, lambda m, a, s: a / 200)
    assert trend_table(two[two["alpha"] <= 2.0]).empty
    assert list(trend_table(few).columns) == list(COLUMNS)


def test_policies_of_other_sources_are_no_evidence() -> None:
    table = cells(5, lambda m, a, s: 14.0 - a / 10, lambda m, a, s: a / 200)
    other = table.assign(source="scpo", mean_steps_to_goal=99.0)
    both = pd.concat([table, other], ignore_index=True)
    pd.testing.assert_frame_equal(trend_table(both), trend_table(table))


def test_sign_flips_agree_with_scipy() -> None:
    differences = np.array([-0.3, -0.1, 0.05, -0.2, 0.0, -0.4, 0.1])
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative="less", n_resamples=np.inf
    )
    assert sign_flip_p_value(differences) == pytest.approx(expected.pvalue, abs=1e-12)
    assert sign_flip_p_value(np.zeros(5)) == 1.0
    assert math.isnan(sign_flip_p_value(np.array([math.nan, 1.0])))


def test_many_differences_are_sampled_and_never_give_zero() -> None:
    found = sign_flip_p_value(np.full(40, -1.0))
    assert 0.0 < found <= 1 / 65_536


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_is_monotone_and_between_p_and_bonferroni(values: list[float]) -> None:
    adjusted = holm(values)
    raw = np.asarray(values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(raw * len(raw), 1.0) + 1e-12).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0.0).all()


@pytest.mark.parametrize(("seeds", "alphas", "rate"), [(3, 3, 0.3), (5, 5, 0.05), (5, 8, 1.0)])
def test_pages_p_value_keeps_its_level_where_rates_tie(
    seeds: int, alphas: int, rate: float
) -> None:
    """Counts of violations without a trend: mostly 0, so most of a row is one tie."""
    rng = np.random.default_rng(0)
    found = np.array([page_p_value(rng.poisson(rate, (seeds, alphas))) for _ in range(250)])
    for level in (0.05, 0.2):
        above = stats.binomtest(int((found <= level).sum()), 250, level, alternative="greater")
        assert above.pvalue > 0.005


def test_pages_p_value_is_scipys_without_ties_and_one_where_all_tie() -> None:
    values = np.random.default_rng(1).normal(size=(4, 5)) + np.arange(5)
    assert page_p_value(values) == stats.page_trend_test(values).pvalue
    assert page_p_value(np.zeros((5, 4))) == 1.0
    tied = values.round()
    assert page_p_value(tied) < 0.01
    assert page_p_value(-tied) > 0.9
