"""The promise's arithmetic without scipy, against the bounds and the beta distribution."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.bounds import (
    gauss_renyi_bound,
    gaussian_tradeoff_bound,
    pathwise_bound,
    ratio_bound,
    scenario_bound,
)
from sport_ray.bounds.violation_time import violation_time_bound_from_counts
from sport_ray.canonical import digest, readable_json
from sport_ray.certificates import load_certificate
from sport_ray.deploy.promise import (
    _log_binomial_tail,
    certified_eps_base,
    read_certificate,
    require_promise,
    require_violation_time,
)
from sport_ray.errors import UserError

EPS = st.floats(1e-9, 0.5)
WORLDS = {"alpha_mu": 1.0, "alpha_p": 1.0}


def bounds(eps: float, extra: float, horizon: int) -> list[tuple[dict[str, Any], float]]:
    """Constraints and their prior bounds; ``extra`` is a small number ≥ 0."""
    alpha = 1.0 + extra
    return [
        ({"name": "ratio", "alpha": alpha}, ratio_bound(eps, alpha, horizon)),
        ({"name": "gauss_renyi", "alpha": alpha}, gauss_renyi_bound(eps, alpha, horizon)),
        ({"name": "pathwise_all", "log_budget": extra}, pathwise_bound(eps, extra)),
        ({"name": "mean_shift", "mu": extra}, gaussian_tradeoff_bound(eps, extra)),
    ]


@given(EPS, st.floats(0.0, 2.0), st.integers(1, 100))
def test_the_bounds_themselves_are_accepted_and_less_is_not(
    eps: float, extra: float, horizon: int
) -> None:
    for constraint, bound in bounds(eps, extra, horizon):
        if bound < 1.0:
            require_promise(constraint, eps, horizon, {"bound": bound, **WORLDS})
            with pytest.raises(UserError, match="does not follow"):
                require_promise(constraint, eps, horizon, {"bound": bound * 0.9999, **WORLDS})


def test_a_perturbed_world_costs_its_factor() -> None:
    constraint = {"name": "ratio", "alpha": 1.1}
    bound = ratio_bound(0.001, 1.1, 10, alpha_mu=1.5, alpha_p=1.05)
    worlds = {"alpha_mu": 1.5, "alpha_p": 1.05}
    require_promise(constraint, 0.001, 10, {"bound": bound, **worlds})
    with pytest.raises(UserError, match="does not follow"):
        require_promise(constraint, 0.001, 10, {"bound": bound / 1.01, **worlds})
    for wrong in (0.9, math.inf, math.nan):
        with pytest.raises(UserError, match="no ratios"):
            require_promise(constraint, 0.001, 10, {"bound": 0.5, **worlds, "alpha_p": wrong})


@pytest.mark.parametrize("bound", [0.0, 1.0, 5.0, math.nan, math.inf])
def test_what_promises_nothing_is_refused(bound: float) -> None:
    with pytest.raises(UserError, match="promises nothing"):
        require_promise({"name": "violation_time"}, 0.1, 5, {"bound": bound, **WORLDS})


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=25),
    st.integers(0, 20_000), st.floats(1.0, 1.3), st.floats(1e-9, 0.1), st.floats(1.0, 1.1),
)  # fmt: skip
def test_the_violation_time_bound_is_accepted_and_less_is_not(
    counts: list[int], safe: int, alpha: float, beta: float, world: float
) -> None:
    horizon, n = len(counts), sum(counts) + safe
    if n == 0:
        return
    bound = violation_time_bound_from_counts([0, *counts], n, horizon, alpha, beta)
    bound = ratio_bound(bound, 1.0, horizon, alpha_mu=world, alpha_p=world) if bound < 1 else 1.0
    if bound >= 1.0:
        return
    times = list(itertools.accumulate(counts))
    certificate = {
        "sampling": {"rule": "fixed"}, "max_horizon": horizon, "choice": {"horizon": horizon},
        "num_scenarios": n, "beta": beta,
        "table": {
            "num_settled": [*times[:-1], 0], "num_violations": [n] * (horizon - 1) + times[-1:]
        },
    }  # fmt: skip
    promise = {"bound": bound, "alpha_mu": world, "alpha_p": world}
    require_violation_time(certificate, alpha, horizon, promise)
    with pytest.raises(UserError, match="does not follow"):
        require_violation_time(certificate, alpha, horizon, {**promise, "bound": bound * 0.999})
    certificate["sampling"] = {"rule": "anytime"}
    with pytest.raises(UserError, match="fixed beforehand"):
        require_violation_time(certificate, alpha, horizon, promise)


def test_an_unknown_sampling_rule_is_not_believed(certified: Path) -> None:
    document = read_certificate((certified / "certificate.json").read_bytes())
    document["sampling"]["rule"] = "oracle"
    with pytest.raises(UserError, match="sampling rule 'oracle' is unknown"):
        certified_eps_base(document, 10)


@given(st.integers(1, 10**6), st.floats(0.0, 0.02), st.floats(1e-9, 0.5))
def test_the_binomial_tail_at_clopper_pearson_is_beta(n: int, share: float, beta: float) -> None:
    k = int(n * share)
    eps = scenario_bound(n, k, beta)
    if k < n:
        assert _log_binomial_tail(n, k, eps) == pytest.approx(math.log(beta), abs=1e-6)


def test_eps_base_is_that_of_the_certificate_and_follows_from_its_counts(certified: Path) -> None:
    data = (certified / "certificate.json").read_bytes()
    document, certificate = read_certificate(data), load_certificate(certified / "certificate.json")
    for horizon in range(1, certificate.max_horizon + 1):
        assert certified_eps_base(document, horizon) == certificate.eps_base(horizon)
    for horizon in (0, certificate.max_horizon + 1):
        with pytest.raises(UserError, match="does not cover"):
            certified_eps_base(document, horizon)
    document["table"]["eps_base_simultaneous"][9] *= 0.999
    with pytest.raises(UserError, match="does not follow"):
        certified_eps_base(document, 10)
    document["table"]["eps_base_simultaneous"] = []
    with pytest.raises(UserError, match="damaged"):
        certified_eps_base(document, 10)


def test_a_choice_stands_for_its_own_horizon(certified: Path) -> None:
    document = read_certificate((certified / "certificate.json").read_bytes())
    document["choice"] = {"horizon": 10}
    assert certified_eps_base(document, 10) == document["table"]["eps_base"][9]
    with pytest.raises(UserError, match="does not cover"):
        certified_eps_base(document, 11)


def test_an_altered_certificate_is_refused(certified: Path) -> None:
    data = (certified / "certificate.json").read_bytes()
    for wrong in (data.replace(b"0.001", b"0.0001"), data + b" ", b"{}", b"[", data[:-9]):
        with pytest.raises(UserError):
            read_certificate(wrong)
    body = {"schema": "sport-ray/certificate/9"}
    with pytest.raises(UserError, match="schema"):
        read_certificate(readable_json({**body, "digest": digest(body)}))
