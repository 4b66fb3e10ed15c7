"""The certificate that ships with the base policy holds, and its scenarios run again."""

from __future__ import annotations

import pytest

from experiments.base import BUNDLED
from experiments.study import load_study
from sport_ray.certificates import load_certificate
from sport_ray.certificates.verify import verify_certificate

PATH = BUNDLED / "point_reach_avoid" / "certificate.json"


def test_the_shipped_certificate_holds():
    checks = {check.name: check for check in verify_certificate(PATH, rerun=300)}
    assert not [check for check in checks.values() if check.passed is False]
    for name in ("file", "bounds", "table file", "table rows", "numbers", "base policy", "rerun"):
        assert checks[name].passed, name


def test_it_is_the_quickstart_s():
    certificate = load_certificate(PATH)
    study = load_study(BUNDLED.parent / "quickstart.yaml")
    assert certificate.sampling == study.certificate.sampling
    assert certificate.property == study.property
    assert certificate.env_kwargs == study.environment.kwargs
    assert certificate.max_horizon == study.certificate.max_horizon


@pytest.mark.parametrize("horizon", [21, 27])
def test_what_it_says_of_the_quickstart_s_horizons(horizon):
    assert 0.0 < load_certificate(PATH).eps_base(horizon) < 0.02
