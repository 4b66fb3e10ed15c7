"""A selection policy whose score changes in the field, without a new certificate.

On exact problems, all candidates and indices enumerated: the prior bound holds for every score, so
it holds for whatever score the verdicts so far led to. Then the same with bundles.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sport_ray.bounds import alarm_at, anytime_bound, ratio_bound
from sport_ray.bounds.refutation import Wealth, log_alarm_level
from sport_ray.constraints import constraint_from_json
from sport_ray.deploy import Monitor, base_promise, load, read_bundle, update_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.monitoring import promise_in
from sport_ray.errors import UserError
from sport_ray.policies import load_policy
from sport_ray.selection import Selector
from sport_ray.selection.scores import TaskDensity
from tests.exact_mdp import Choice, TabularMdp, keep_within, selection_laws, worst_event
from tests.sport_ray.bounds.test_selection import small_mdp, weights_of
from tests.sport_ray.deploy.conftest import CANDIDATES, nudged

ALPHA = 1.4
KINDS = [("malice", 0), ("fickle", 0), ("fickle", 5), *(("chance", seed) for seed in range(8))]


@cache
def known(n: int, k: int, beta: float) -> float:
    return anytime_bound(n, k, beta)


def scores(mdp: TabularMdp, horizon: int) -> list[Choice]:
    """Scores of malice and of chance, each under p ≤ α/M."""

    def capped(kind: str, seed: int) -> Choice:
        wish = weights_of(mdp, horizon, kind, seed)
        return lambda *seen: keep_within(wish(*seen), 0.0, ALPHA)

    return [capped(*one) for one in KINDS]


@pytest.fixture(scope="module")
def field() -> tuple[float, float, np.ndarray]:
    """ε of the base, the promise, and the exact risk of each score on one problem."""
    mdp, horizon = small_mdp(3, 2)
    laws = [selection_laws(mdp, score, horizon, 2) for score in scores(mdp, horizon)]
    eps = mdp.violation(mdp.base, horizon)
    risks = np.array([one.executed.q[one.executed.violated].sum() for one in laws])
    return eps, ratio_bound(eps, ALPHA, horizon), risks


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [2, 3])
def test_one_promise_holds_for_every_score(seed, count):
    """Exact risks, of the violation and of the worst event that is as rare under the base."""
    mdp, horizon = small_mdp(seed, count)
    for score in scores(mdp, horizon):
        laws = selection_laws(mdp, score, horizon, count)
        for law in laws:
            eps = law.p[law.violated].sum()
            assert eps == pytest.approx(mdp.violation(mdp.base, horizon))
            bound = ratio_bound(eps, ALPHA, horizon) * (1 + 1e-9)
            assert law.q[law.violated].sum() <= bound
            assert worst_event(law.p, law.q, eps) <= bound


def test_scores_that_follow_the_verdicts(field):
    """3,000 robots, 400 episodes each: the next score is the worst that the verdicts so far admit.

    Each risk is exact and at most what was promised once. The any-time bound on the average fails
    in at most β of the logs, and false alarms are as rare as stated.
    """
    eps, bound, risks = field
    assert eps < risks.max() <= bound * (1 + 1e-12)
    beta, level, runs, count = 0.1, 0.1, 3_000, 400
    rng = np.random.default_rng(0)
    mild, worst = int(risks.argmin()), int(risks.argmax())
    acting = np.full(runs, mild)
    violations, total = np.zeros(runs, dtype=int), np.zeros(runs)
    failed = np.zeros(runs, bool)
    state, alarmed = Wealth.start((runs,)), np.zeros(runs, bool)
    for n in range(1, count + 1):
        x = rng.random(runs) < risks[acting]
        total += risks[acting]
        violations += x
        state, wealth = state.after(x[:, None], np.full((runs, 1), bound))
        alarmed |= wealth[:, 0] >= log_alarm_level(n, level)
        now = np.array([known(n, int(k), beta) for k in violations])
        failed |= np.minimum(now, bound) < total / n
        # The update: whoever looks safe gets the worst score, the others any.
        safe = violations < n * (risks.min() + risks.max()) / 2
        acting = np.where(safe, worst, rng.integers(0, len(risks), runs))
    for wrong in (failed, alarmed):
        found = int(wrong.sum())
        assert stats.binomtest(found, runs, beta, alternative="greater").pvalue > 1e-3
    assert total.max() / count > 0.99 * risks.max()  # where all looked well, the worst acted


def test_a_score_without_the_cap_is_found_out(field):
    """The negative control: malice with p = 1 on its favourite breaks the promise."""
    mdp, horizon = small_mdp(3, 2)
    eps = mdp.violation(mdp.base, horizon)
    promised = ratio_bound(eps, 1.02, horizon)
    law = selection_laws(mdp, weights_of(mdp, horizon, "malice", 0), horizon, 2).executed
    risk = law.q[law.violated].sum()
    assert risk > 1.1 * promised
    rng = np.random.default_rng(1)
    calm = rng.random(500) < eps
    alarm = alarm_at(np.concatenate([calm, rng.random(20_000) < risk]), promised, 1e-6)
    assert alarm is not None
    assert alarm > 500


# The same with bundles.


@pytest.fixture
def first(export_of: Callable[..., Export], tmp_path: Path) -> Path:
    write_bundle(tmp_path / "first", export_of("ratio", "selector"))
    return tmp_path / "first"


def score_of(bundle: Path, folder: Path, seed: int, candidates: int = CANDIDATES) -> Path:
    """A new score, learned from whatever."""
    network = nudged(load_policy(bundle / "base").network, seed)
    Selector(candidates, TaskDensity(network)).save(folder, {})
    return folder


def test_a_new_score_costs_nothing(first, tmp_path, observations):
    certificate = json.loads((first / "certificate.json").read_text())
    digest = update_bundle(tmp_path / "second", first, score_of(first, tmp_path / "score", 7))
    old, new = read_bundle(first), read_bundle(tmp_path / "second", expect=digest)
    assert new.digest != old.digest
    assert new.manifest["task"]["digest"] != old.manifest["task"]["digest"]
    assert new.promise == old.promise
    assert new.manifest["evidence"] == {}
    assert new.manifest["source"] == {"updated_from": old.digest}
    with Monitor(tmp_path / "monitor.jsonl", first, beta=0.01) as monitor:
        for bundle in (first, tmp_path / "second", first, tmp_path / "second"):
            policy = load(bundle)
            monitor.update(policy)
            policy.reset()
            monitor.begin()
            for seen in observations[:10]:
                policy.act(seen)
            policy.end()
            monitor.record(False)
        found = monitor.report()
    assert found.num_updates == 3
    assert found.prior_beta == certificate["beta"]
    assert found.promised == old.promise["bound"]


def test_what_costs_confidence(first, export_of, certified, tmp_path):
    """Another horizon or constraint of the same ε_base: nothing. A claim of its own: its β."""
    with Monitor(tmp_path / "monitor.jsonl", first) as monitor:
        beta = monitor.report().prior_beta
        for name, price in (("pathwise", 1), ("two_point", 1), ("violation_time", 2)):
            write_bundle(tmp_path / name, export_of(name, "selector"))
            monitor.update(tmp_path / name)
            assert monitor.report().prior_beta == pytest.approx(price * beta)
        monitor.update(base_promise(first))
        assert monitor.report().prior_beta == pytest.approx(2 * beta)


def test_the_bases_own_promise_is_the_lowest(first):
    bundle = read_bundle(first)
    promise = base_promise(bundle)
    assert promise.bound == bundle.promise["eps_base"] < bundle.promise["bound"]
    assert promise.rests_on == promise_in(bundle).rests_on
    assert "of the base" in promise.statement


def test_an_update_that_does_not_fit_is_refused(first, certified, tmp_path):
    with pytest.raises(UserError, match="exists already"):
        update_bundle(first, first, certified / "selector")
    with pytest.raises(UserError):
        update_bundle(tmp_path / "new", first, tmp_path / "nowhere")
    with pytest.raises(UserError):
        update_bundle(tmp_path / "new", tmp_path / "nowhere", certified / "selector")
    assert not (tmp_path / "new").exists()
    # M is part of the policy, and of the words of its promise.
    update_bundle(tmp_path / "fewer", first, score_of(first, tmp_path / "s", 1, 4))
    assert read_bundle(tmp_path / "fewer").promise["bound"] == read_bundle(first).promise["bound"]
    assert "draws 4 actions" in read_bundle(tmp_path / "fewer").promise["statement"]
    assert constraint_from_json({"name": "ratio", "alpha": 1.02}) == read_bundle(first).constraint
