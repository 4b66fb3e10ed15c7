"""The certificate that ships with the base policy holds, and its scenarios run again."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.certificates import load_certificate
from sport_ray.certificates.verify import verify_certificate
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.table_file import read_outcomes

PATH = BUNDLED / "point_reach_avoid" / "certificate.json"


def test_the_shipped_certificate_holds():
    checks = {check.name: check for check in verify_certificate(PATH)}
    assert not [check for check in checks.values() if check.passed is False]
    for name in ("file", "bounds", "table file", "table rows", "numbers", "base policy"):
        assert checks[name].passed, name


def test_its_scenarios_run_again():
    """The same verdicts; on another processor the last bits of a few may differ."""
    certificate = load_certificate(PATH)
    base = BaseBehaviour(FrozenPolicy(load_policy(PATH.parent).network))
    plan = ScenarioPlan(
        env_id=certificate.env_id,
        env_kwargs=certificate.env_kwargs,
        property=certificate.property,
        horizon=certificate.max_horizon,
        root_seed=certificate.root_seed,
        purpose="certify",
    )
    table = next(read_outcomes(PATH.parent / certificate.outcomes.file)).rows(slice(0, 1_000))
    again = run_scenarios(plan, base, 0, 1_000)
    assert (again.satisfied_at == table.satisfied_at).mean() > 0.995
    np.testing.assert_allclose(
        np.median(again.robustness), np.median(table.robustness), rtol=1e-3, atol=1e-6
    )


def test_it_is_the_quickstart_s():
    certificate = load_certificate(PATH)
    study = load_study(BUNDLED.parent / "studies" / "quickstart.yaml")
    assert certificate.sampling == study.certificate.sampling
    assert certificate.property == study.property
    assert certificate.env_kwargs == study.environment.kwargs
    assert certificate.max_horizon == study.certificate.max_horizon


@pytest.mark.parametrize("horizon", [21, 27])
def test_what_it_says_of_the_shipped_studies_horizons(horizon):
    assert 0.0 < load_certificate(PATH).eps_base(horizon) < 0.02
