"""Certificates: complete or not at all, every bound from its count, for one thing only."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from sport_ray.bounds.anytime import anytime_bound
from sport_ray.bounds.scenario import scenario_bound
from sport_ray.certificates import (
    AnytimeSampling,
    BoundTable,
    Candidate,
    Certificate,
    Choice,
    Counts,
    FixedSampling,
)
from sport_ray.errors import UserError
from sport_ray.properties import NEVER
from sport_ray.rollouts import ScenarioAborted, Tally
from tests.sport_ray.certificates.conftest import certify, reaching


def test_the_table_is_the_scenario_bound_at_every_horizon(certificate, outcomes):
    assert certificate.table.horizon == list(range(1, 31))
    for t in certificate.table.horizon:
        k = certificate.table.num_violations[t - 1]
        assert k == sum(not (0 <= at <= t) for at in outcomes.satisfied_at)
        assert certificate.table.eps_base[t - 1] == scenario_bound(400, k, 1e-7)
        simultaneous = certificate.table.eps_base_simultaneous[t - 1]
        assert simultaneous == certificate.eps_base(t) == scenario_bound(400, k, 1e-7 / 30)
        assert simultaneous >= certificate.table.eps_base[t - 1]


def test_it_says_what_it_rests_on(certificate, plan, outcomes):
    body = certificate.body()
    assert (body["env_id"], body["env_kwargs"]) == (plan.env_id, plan.env_kwargs)
    assert (body["property"], body["root_seed"]) == (plan.property, 11)
    assert body["counts"] == {"planned": 400, "started": 400, "finished": 400, "aborted": 0}
    assert body["schema"] == "sport-ray/certificate/2"
    steps = outcomes.satisfied_at[outcomes.satisfied_at != NEVER]
    assert body["mean_steps_to_goal"] == pytest.approx(steps.mean())
    assert body["std_steps_to_goal"] == pytest.approx(steps.std())


def test_all_horizons_hold_at_once(plan):
    """2,000 certificates at β = 0.2: all 30 bounds hold together more often than 1 − β."""
    rng = np.random.default_rng(5)
    horizon, count, beta, repetitions = plan.horizon, 100, 0.2, 2_000
    step = 0.08  # reaching the goal has this chance at each step
    truth = (1 - step) ** np.arange(1, horizon + 1)
    pointwise = [scenario_bound(count, k, beta) for k in range(count + 1)]
    jointly = [scenario_bound(count, k, beta / horizon) for k in range(count + 1)]
    failures = {"pointwise": 0, "jointly": 0}
    for _ in range(repetitions):
        reached = rng.geometric(step, count)
        k = (reached[:, None] > np.arange(1, horizon + 1)).sum(axis=0)
        failures["pointwise"] += bool((np.array(pointwise)[k] < truth).any())
        failures["jointly"] += bool((np.array(jointly)[k] < truth).any())
    test = stats.binomtest(failures["jointly"], repetitions, beta, alternative="greater")
    assert test.pvalue > 1e-3
    # Choosing T by looking at bounds that hold one by one would break the promise.
    assert stats.binomtest(failures["pointwise"], repetitions, beta).pvalue < 1e-6
    assert failures["pointwise"] > beta * repetitions


@pytest.mark.parametrize(
    "keep",
    [
        np.arange(399),  # the last is missing
        np.arange(1, 400),  # the first
        np.delete(np.arange(400), 123),  # one in the middle
        np.arange(0),
        np.r_[0:399, 398],  # one counted twice instead of another
        np.arange(400)[::-1],  # not in order
    ],
)
def test_an_incomplete_table_certifies_nothing(plan, outcomes, keep):
    with pytest.raises(ValueError, match="incomplete set certifies nothing"):
        certify(plan, outcomes.rows(keep))


@pytest.mark.parametrize("planned", [399, 401])
def test_the_number_planned_is_the_number_there(plan, outcomes, planned):
    with pytest.raises(ValueError, match=f"400 of {planned} planned scenarios"):
        certify(plan, outcomes, sampling=FixedSampling(num_scenarios=planned))


@pytest.mark.parametrize("counts", [(401, 400, 0), (400, 399, 0), (400, 400, 1), (0, 0, 0)])
def test_what_was_counted_on_the_way_must_be_complete(plan, outcomes, counts):
    with pytest.raises(ScenarioAborted, match="incomplete set certifies nothing"):
        certify(plan, outcomes, tally=Tally(*counts))


@pytest.mark.parametrize("purpose", ["evaluate", "base", "choose"])
def test_scenarios_for_another_purpose_certify_nothing(plan, outcomes, purpose):
    other = plan.model_copy(update={"purpose": purpose})
    with pytest.raises(ValueError, match="purpose 'certify'"):
        certify(other, outcomes)


@pytest.mark.parametrize("beta", [0.0, 1.0, float("nan"), -1e-7])
def test_a_confidence_out_of_range_is_refused(plan, outcomes, beta):
    with pytest.raises(ValueError, match="beta must"):
        certify(plan, outcomes, beta=beta)


def test_a_base_that_never_succeeds(plan, outcomes):
    certificate = certify(plan, reaching(np.full(400, 31), 30))
    assert certificate.eps_base(30) == 1.0
    assert certificate.mean_steps_to_goal is None
    assert certificate.std_steps_to_goal is None


def test_the_digest_covers_the_outcomes(plan, outcomes, certificate):
    again = certify(plan, outcomes, versions={})
    assert again.outcomes.digest == certificate.outcomes.digest
    assert again.digest != certificate.digest  # the versions differ
    changed = outcomes.robustness.copy()
    changed[7] = np.nextafter(changed[7], 1.0)
    other = dataclasses.replace(outcomes, robustness=changed)
    assert certify(plan, other).outcomes.digest != certificate.outcomes.digest


def test_counts_are_complete():
    assert Counts(planned=3, started=3, finished=3, aborted=0).finished == 3
    for counts in [(3, 3, 2, 0), (3, 2, 2, 0), (3, 3, 3, 1), (3, 4, 4, 0), (2, 3, 3, 0)]:
        with pytest.raises(ValidationError, match="incomplete set certifies nothing"):
            Counts(**dict(zip(("planned", "started", "finished", "aborted"), counts, strict=True)))


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": [2, 3]},
        {"horizon": [1]},
        {"eps_base": [0.1]},
        {"num_violations": [1, 2, 3]},
        {"num_settled": []},
    ],
)
def test_the_table_is_rectangular_and_starts_at_one(change):
    columns = {"horizon": [1, 2], "num_violations": [2, 1]}
    columns |= {"eps_base": [0.2, 0.1], "eps_base_simultaneous": [0.3, 0.2]}
    columns |= {"num_settled": [0, 1], "num_running": [9, 3]}
    assert BoundTable(**columns).horizon == [1, 2]
    with pytest.raises(ValidationError, match="every horizon from 1 on"):
        BoundTable(**{**columns, **change})


@pytest.mark.parametrize("horizon", [0, -1, 31, 10**9])
def test_a_horizon_that_is_not_covered(certificate, horizon):
    with pytest.raises(UserError, match=rf"horizon {horizon} is not covered .*1 … 30"):
        certificate.eps_base(horizon)


MATCH = {
    "base_digest": "ab" * 32,
    "env_id": "sport_ray/PointReachAvoid-v0",
    "env_kwargs": {"layout": "fixed", "end_on_violation": True},
    "property_": "(!hazard) U goal",
}


def test_it_stands_for_what_it_was_made_for(certificate):
    certificate.require_match(**MATCH)
    certificate.require_match(
        **{**MATCH, "env_kwargs": dict(reversed(MATCH["env_kwargs"].items()))}
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_digest": "cd" * 32}, "base policy: it says 'abab.*'cdcd"),
        ({"env_id": "Other-v0"}, "environment: it says 'sport_ray/.*the study 'Other-v0'"),
        ({"env_kwargs": {}}, "environment arguments: it says .*the study {}"),
        (
            {"env_kwargs": {"layout": "random", "end_on_violation": True}},
            "environment arguments.*'random'",
        ),
        ({"env_kwargs": {"layout": "fixed", "end_on_violation": 1}}, "environment arguments.*: 1}"),
        ({"property_": "(!hazard) U home"}, "property: it says .*the study .*home"),
    ],
)
def test_it_stands_for_nothing_else(certificate, change, named):
    with pytest.raises(UserError, match=f"certificate is for another {named}") as caught:
        certificate.require_match(**{**MATCH, **change})
    assert "sport-ray certify" in str(caught.value)
    assert "\n" not in str(caught.value)


SETTINGS = {
    "sampling": FixedSampling(num_scenarios=400),
    "beta": 1e-7,
    "max_horizon": 30,
    "root_seed": 11,
    "choice": None,
}
ANYTIME = AnytimeSampling(max_scenarios=4_000, horizon=21, target=0.01, check_every=200)


def chosen(horizon: int = 21, base_digest: str = "ab" * 32) -> Choice:
    """A choice between two bases."""
    tried = [
        Candidate(base="one", base_digest=base_digest, horizon=horizon, log_alpha=0.1),
        Candidate(base="two", base_digest="09" * 32, horizon=20, log_alpha=None),
    ]
    return Choice(
        eps_max=0.1,
        beta=1e-7,
        max_horizon=30,
        env_id="x",
        env_kwargs={},
        property="F goal",
        num_scenarios=500,
        root_seed=11,
        base_digest=base_digest,
        horizon=horizon,
        candidates=tried,
    )


def test_the_settings_of_its_own_study(certificate):
    certificate.require_settings(**SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampling", FixedSampling(num_scenarios=401)),
        ("sampling", ANYTIME),
        ("beta", 1.0000001e-7),
        ("max_horizon", 29),
        ("root_seed", 12),
        ("choice", chosen()),
    ],
)
def test_other_settings_are_named(certificate, name, value):
    with pytest.raises(
        UserError, match=rf"made with {name} = .* says {re.escape(str(value))}: run"
    ):
        certificate.require_settings(**{**SETTINGS, name: value})


@given(data=st.data())
def test_no_number_of_the_table_can_be_made_up(data):
    """A certificate whose digest is right but whose bounds do not follow from its counts."""
    count, horizon = 50, 4
    violations = data.draw(st.lists(st.integers(0, 50), min_size=4, max_size=4))
    table = {
        "horizon": list(range(1, horizon + 1)),
        "num_violations": violations,
        "num_settled": [0] * horizon,
        "num_running": [count] * horizon,
        "eps_base": [scenario_bound(count, k, 0.01) for k in violations],
        "eps_base_simultaneous": [scenario_bound(count, k, 0.01 / 4) for k in violations],
    }
    body = {
        "base_digest": "x", "env_id": "x", "env_kwargs": {}, "property": "(!a) U b",
        "num_scenarios": count, "beta": 0.01, "root_seed": 0, "max_horizon": horizon,
        "counts": {"planned": count, "started": count, "finished": count, "aborted": 0},
        "table": table, "mean_steps_to_goal": None, "std_steps_to_goal": None,
        "outcomes": {"file": "x", "sha256": "x", "digest": "x"}, "versions": {}, "code": {},
        "sampling": {"rule": "fixed", "num_scenarios": count},
    }  # fmt: skip
    Certificate.model_validate(body)
    column = data.draw(st.sampled_from(["num_violations", "eps_base", "eps_base_simultaneous"]))
    row = data.draw(st.integers(0, horizon - 1))
    if column == "num_violations":
        wrong = data.draw(st.integers(-1, 51).filter(lambda k: k != violations[row]))
    else:
        wrong = table[column][row] * data.draw(st.sampled_from([0.0, 0.5, 0.999, 1.001]))
    changed = [*table[column][:row], wrong, *table[column][row + 1 :]]
    with pytest.raises(ValidationError):
        Certificate.model_validate({**body, "table": {**table, column: changed}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_scenarios": 4_000}, "num_scenarios is 4000 but 400 were planned"),
        ({"sampling": FixedSampling(num_scenarios=500)}, "sampling rule does not allow"),
        ({"sampling": ANYTIME}, "the bound at horizon"),
        ({"sampling": {**ANYTIME.model_dump(), "check_every": 250}}, "does not allow"),
        ({"choice": chosen(base_digest="ef" * 32)}, "choice is of another base policy"),
        ({"choice": chosen(horizon=31)}, "horizon not covered"),
        ({"max_horizon": 31}, "the table has 30 horizons, max_horizon is 31"),
        ({"beta": 1e-9}, "the bound at horizon"),
        ({"beta": 0.0}, "greater than 0"),
        ({"schema": "sport-ray/certificate/1"}, "sport-ray/certificate/2"),
        ({"note": "trust me"}, "Extra inputs"),
    ],
)
def test_its_parts_agree(certificate, change, message):
    with pytest.raises(ValidationError, match=message):
        Certificate.model_validate({**certificate.body(), **change})


def test_a_stopping_rule_pays_for_looking(plan, outcomes, certificate):
    """At every T the bound of a confidence sequence, which is above the one for a fixed N."""
    stopped = certify(plan, outcomes, sampling=ANYTIME)
    for t in stopped.table.horizon:
        k = stopped.table.num_violations[t - 1]
        assert stopped.table.eps_base[t - 1] == anytime_bound(400, k, 1e-7)
        assert stopped.eps_base(t) == anytime_bound(400, k, 1e-7 / 30)
        assert stopped.eps_base(t) >= certificate.eps_base(t)


def test_a_stopping_rule_stops_only_at_a_look(plan, outcomes):
    with pytest.raises(ValueError, match="incomplete set certifies nothing"):
        certify(plan, outcomes.rows(slice(0, 399)), sampling=ANYTIME)
    few = ANYTIME.model_copy(update={"max_scenarios": 200})
    with pytest.raises(ValueError, match="incomplete set certifies nothing"):
        certify(plan, outcomes, sampling=few)


@pytest.mark.parametrize(
    "change",
    [
        {"candidates": []},
        {"horizon": 20},
        {"base_digest": "09" * 32},
        {"candidates": [{**chosen().candidates[0].model_dump(), "log_alpha": float("nan")}]},
        {"candidates": [{**chosen().candidates[0].model_dump(), "log_alpha": None}]},
    ],
)
def test_what_was_chosen_is_among_the_candidates(change):
    with pytest.raises(ValidationError):
        Choice.model_validate({**chosen().model_dump(), **change})


def test_a_horizon_that_was_chosen_beforehand_needs_no_correction(plan, outcomes, certificate):
    one = certify(plan, outcomes, choice=chosen())
    assert one.eps_base(21) == certificate.table.eps_base[20] < certificate.eps_base(21)
    with pytest.raises(UserError, match=r"horizon 22 is not covered.*chosen horizon 21"):
        one.eps_base(22)
    assert one.digest != certificate.digest
