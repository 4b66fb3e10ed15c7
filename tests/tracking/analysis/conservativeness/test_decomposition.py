"""Where the gap comes from: the parts add up exactly, each worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.conservativeness.decomposition import PARTS, decompose
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import results_table

CERTIFICATE = {
    "num_scenarios": 10_000,
    "beta": 1e-7,
    "max_horizon": 3,
    "table": {"horizon": [1, 2, 3], "num_violations": [400, 200, 100]},
}


def record(**changes: object) -> dict:
    start = {
        "cell_id": "0" * 16, "study": "s", "source": "projected_ppo", "projected": True,
        "constraint": "ratio",
        "alpha": 2.0, "log_alpha": math.log(2), "horizon": 3, "seed": 0, "status": "finished",
        "eps_base": 0.02, "beta": 1e-7, "prior_bound": 0.16, "num_scenarios": 1000,
        "num_violations": 5, "max_prefix_log_ratio": math.log(4),
    }  # fmt: skip
    return start | changes


def parts(*records: dict, certificate: dict | None = CERTIFICATE):
    return decompose(results_table(list(records)), certificate)


def test_the_parts_of_a_worked_example() -> None:
    # 0.16 = 0.02 · 2³ promised, 0.005 seen: a factor of 32 = 2 (0.02 / 0.01) · 2 (8 / 4) · 8.
    row = parts(record()).iloc[0]
    assert row["total"] == pytest.approx(math.log10(32), abs=1e-12)
    assert row["confidence"] == pytest.approx(math.log10(2), abs=1e-12)
    assert row["world"] == 0.0
    assert row["unreached"] == pytest.approx(math.log10(2), abs=1e-12)
    assert row["worst_case"] == pytest.approx(math.log10(8), abs=1e-12)
    assert not row["rate_is_limit"]


def test_a_perturbed_world_is_a_part_of_its_own() -> None:
    world = {"alpha_mu": 1.25, "alpha_p": 1.01}
    bound = 0.02 * 1.25 * (1.01 * 2) ** 3
    row = parts(record(**world, prior_bound=bound)).iloc[0]
    assert row["world"] == pytest.approx(math.log10(1.25 * 1.01**3), abs=1e-12)
    assert row["unreached"] == pytest.approx(math.log10(2), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    alpha=st.floats(1.0, 100.0),
    horizon=st.integers(1, 3),
    eps_base=st.floats(1e-6, 1.0),
    reached=st.floats(0.0, 50.0),
    violations=st.integers(0, 1000),
    alpha_p=st.floats(1.0, 2.0),
)
def test_the_parts_add_up_exactly(alpha, horizon, eps_base, reached, violations, alpha_p) -> None:
    bound = eps_base * (alpha_p * alpha) ** horizon
    row = parts(
        record(alpha=alpha, log_alpha=math.log(alpha), horizon=horizon, eps_base=eps_base,
               prior_bound=bound, alpha_p=alpha_p, num_violations=violations,
               max_prefix_log_ratio=reached)
    ).iloc[0]  # fmt: skip
    assert row[list(PARTS)].sum() == pytest.approx(row["total"], abs=1e-9)
    assert row["total"] == pytest.approx(row["log10_prior"] - row["log10_rate"], abs=1e-12)


def test_of_every_kind_the_parts_add_up(make_kinds) -> None:
    folder = make_kinds()
    table = decompose(load_results(folder), read_results(folder).certificate)
    assert set(table["constraint"]) == {"ratio", "gauss_renyi", "pathwise", "mean_shift"}
    np.testing.assert_allclose(table[list(PARTS)].sum(axis=1), table["total"], atol=1e-12)
    budgets = table[table["constraint"] == "pathwise"]
    # These spent all but a trillionth of their budget on some path.
    np.testing.assert_allclose(budgets["unreached"], 0, atol=1e-9)


def test_without_a_violation_the_total_is_a_lower_limit() -> None:
    row = parts(record(num_violations=0)).iloc[0]
    assert row["rate_is_limit"]
    high = 1 - 0.025 ** (1 / 1000)
    assert row["total"] == pytest.approx(math.log10(0.16 / high), abs=1e-9)
    one = parts(record(num_violations=1)).iloc[0]
    assert row["total"] < one["total"]  # the limit is no larger than with a violation
    assert row[list(PARTS)].sum() == pytest.approx(row["total"], abs=1e-12)


def test_a_base_without_violations_is_marked() -> None:
    table = CERTIFICATE["table"] | {"num_violations": [0, 0, 0]}
    row = parts(record(), certificate=CERTIFICATE | {"table": table}).iloc[0]
    assert row["base_rate_is_limit"]
    assert row[list(PARTS)].sum() == pytest.approx(row["total"], abs=1e-12)


def test_what_is_not_known_is_missing_and_the_total_stays() -> None:
    row = parts(record(max_prefix_log_ratio=None)).iloc[0]
    assert np.isnan(row["unreached"])
    assert np.isnan(row["worst_case"])
    assert row["total"] == pytest.approx(math.log10(32), abs=1e-12)
    row = parts(record(), certificate=None).iloc[0]
    assert np.isnan(row["confidence"])
    assert np.isfinite(row["unreached"])


def test_cells_without_a_promise_have_no_parts(results: Path) -> None:
    table = decompose(load_results(results), read_results(results).certificate)
    assert len(table) == 47  # 52 cells, 4 unconstrained, 1 failed
