"""Perturbed worlds: ratios computed from laws, claims that are not believed blindly."""

from __future__ import annotations

import pytest

from sport_ray.bounds import gaussian_max_ratio, ratio_bound
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import deployment_kwargs, perturbation
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.constraints import constraints_for
from tests.experiments.known_certificate import certificate

NOISY = {"kwargs": {"layout": "fixed", "actuation_noise": 0.2, "start_noise": [0.1, 0.1, 0.0]}}


def study(small_study, environment=None, **deployment) -> Study:
    return Study.model_validate(
        small_study | {"environment": environment or NOISY, "deployment": deployment}
    )


def test_without_a_section_nothing_is_perturbed(small_study):
    plain = Study.model_validate(small_study)
    assert perturbation(plain) == (1.0, 1.0)
    assert deployment_kwargs(plain) == plain.environment.kwargs


def test_the_robot_s_laws_follow_from_its_arguments(small_study):
    moved = study(small_study, kwargs={"actuation_noise": 0.16, "start_noise": [0.05, 0.1, 0.0]})
    world = perturbation(moved)
    assert world.alpha_p == pytest.approx(1.25**2, rel=1e-12)
    assert world.alpha_mu == pytest.approx(2.0, rel=1e-12)
    assert deployment_kwargs(moved)["layout"] == "fixed"


def test_the_bound_and_its_inverse_know_the_world(small_study):
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.5], "horizons": [20]}
    moved = study(small_study, kwargs={"actuation_noise": 0.195})
    [(moved_constraint, _)] = constraints_for(moved, certificate(), 20, trained=True)
    alpha = moved_constraint.alpha
    world = perturbation(moved)
    bound = ratio_bound(certificate().eps_base(20), alpha, 20, **world._asdict())
    assert 0.5 * (1 - 1e-9) < bound <= 0.5
    [(plain, _)] = constraints_for(study(small_study), certificate(), 20, trained=True)
    assert alpha < plain.alpha


def test_a_world_that_leaves_nothing_is_refused(small_study):
    small_study["sweep"] |= {"alphas": None, "eps_max": [0.1], "horizons": [20]}
    moved = study(small_study, kwargs={"actuation_noise": 0.1})
    with pytest.raises(UserError, match="cannot be reached at horizon 20"):
        constraints_for(moved, certificate(), 20, trained=True)


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        ({"kwargs": {"actuation_noise": 0.25}}, "infinite alpha_p"),
        ({"kwargs": {"start_bias": [0.1, 0.0, 0.1]}}, "infinite alpha_mu"),
        ({"kwargs": {"layout": "random"}}, "layout"),
        (
            {"kwargs": {"actuation_noise": 0.1}, "alpha_p": 1.5},
            "is below the ratio",
        ),
        (
            {"process_noise": {k: {"mean": [0], "std": [1]} for k in ("base", "deployment")}},
            "follow from its arguments",
        ),
    ],
)
def test_a_perturbation_without_a_bound(small_study, deployment, message):
    with pytest.raises(UserError, match=message):
        perturbation(study(small_study, **deployment))


def test_another_environment_needs_laws_or_claims(small_study):
    pendulum = {"id": "Pendulum-v1", "kwargs": {"g": 10.0}}
    with pytest.raises(UserError, match=r"give deployment\.alpha_mu"):
        perturbation(study(small_study, pendulum, kwargs={"g": 9.8}))
    claimed = study(small_study, pendulum, kwargs={"g": 9.8}, alpha_mu=1.0, alpha_p=1.01)
    assert perturbation(claimed) == (1.0, 1.01)
    law = {
        "base": {"mean": [0.0, 0.0], "std": [0.2, 0.1]},
        "deployment": {"mean": [0.0, 0.01], "std": [0.15, 0.09]},
    }
    computed = study(small_study, pendulum, process_noise=law)
    ratio = gaussian_max_ratio([0.0, 0.01], [0.15, 0.09], [0.0, 0.0], [0.2, 0.1])
    assert perturbation(computed) == (1.0, ratio)
