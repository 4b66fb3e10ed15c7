"""The promise: what follows from certificate, constraint, T and world is accepted, less is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.bounds import ratio_bound
from sport_ray.certificates import Certificate, load_certificate
from sport_ray.deploy.promise import promise_of, require_promise
from sport_ray.errors import UserError
from tests.sport_ray.deploy.conftest import CONSTRAINTS, HORIZON, constraint_named


@pytest.fixture
def certificate(certified: Path) -> Certificate:
    return load_certificate(certified / "certificate.json")


@pytest.mark.parametrize("name", sorted(CONSTRAINTS))
def test_a_promise_that_follows_is_accepted_and_less_is_not(
    name: str, certificate: Certificate
) -> None:
    constraint = constraint_named(name)
    promise = promise_of(certificate, constraint, HORIZON, 1.1, 1.001)
    assert require_promise(promise, certificate, constraint, HORIZON) == promise["bound"]
    for factor in (0.9999, 1.0001):
        wrong = {**promise, "bound": factor * promise["bound"]}
        with pytest.raises(UserError, match="does not follow"):
            require_promise(wrong, certificate, constraint, HORIZON)
    # Another library's last digit, with the words that belong to it.
    other = {**promise, "bound": promise["bound"] * (1.0 + 1e-12)}
    other["statement"] = promise["statement"].replace(repr(promise["bound"]), repr(other["bound"]))
    require_promise(other, certificate, constraint, HORIZON)


def test_a_perturbed_world_costs_its_factor(certificate: Certificate) -> None:
    constraint, eps = constraint_named("ratio"), certificate.eps_base(HORIZON)
    bound = promise_of(certificate, constraint, HORIZON, 1.5, 1.01)["bound"]
    expected = ratio_bound(eps, 1.02, HORIZON, alpha_mu=1.5, alpha_p=1.01)
    assert bound == pytest.approx(expected, rel=1e-12)


def test_the_theorem_is_the_constraints_own_words(certificate: Certificate) -> None:
    promise = promise_of(certificate, constraint_named("ratio"), HORIZON, 1.0, 1.0)
    assert promise["theorem"] == "constant ratio: ε_base · α^T"
