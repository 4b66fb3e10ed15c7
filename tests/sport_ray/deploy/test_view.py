"""A deployed policy shows its promise: the statement, its theorem, and what it rests on."""

from __future__ import annotations

from sport_ray.deploy import load
from tests.sport_ray.test_view import HARMLESS, read


def test_the_promise_is_shown_with_its_theorem_confidence_and_premises(bundle) -> None:
    policy = load(bundle)
    view, html = policy.view(), read(policy._repr_html_())
    assert html.tags <= HARMLESS
    facts = dict(view.facts)
    promise = policy.promise
    assert f"{promise['statement']}." in html.texts
    assert facts["theorem"] == promise["theorem"]
    assert promise["bound"] <= float(facts["bound"].partition(",")[0]) <= 1.001 * promise["bound"]
    assert facts["confidence"] == f"1 − β, β = {promise['beta']:g}"
    assert facts["bundle"] == policy.bundle.digest
    shown = [part for fact in view.facts for part in fact] + list(view.assumptions)
    assert all(one in html.texts and one in str(view) for one in shown)
    assert not view.warning
