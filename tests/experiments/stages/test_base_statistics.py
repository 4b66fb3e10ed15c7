"""What is said of a base in a study: of a Gaussian and of a sampler, in words."""

from __future__ import annotations

import pytest

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.stages.base import load_base
from sport_ray.experiments.stages.base_statistics import described, statistics_of


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("sport_ray.experiments.stages.base_statistics.SCENARIOS", 100)


def test_of_a_gaussian_in_plain_words(few, small_study):
    study = Study.model_validate({**small_study, "base": "paper_bang_bang"})
    found = statistics_of(study, load_base(study, "paper_bang_bang", None))
    assert list(found.num_violations) == ["25", "30"]
    lines = described(found)
    assert lines[0].startswith("in 100 fresh scenarios it violates: ")
    assert lines[1].startswith("time to satisfaction: ")
    assert any(one.startswith("entropy of the squashed action: -") for one in lines)
    assert lines[-1].startswith("warning: ")
    assert "nearly bang-bang; a policy within a ratio of it has little to gain" in lines[-1]
    assert statistics_of(study, load_base(study, "paper_bang_bang", None)) == found
    assert statistics_of(study, load_base(study, "paper_bang_bang", None), 1) != found


def test_of_a_sampler_what_samples_tell(few, small_study):
    entry = "sport_ray.experiments.examples.steering:steer"
    study = Study.model_validate({**small_study, "base": entry})
    found = statistics_of(study, load_base(study, entry, None))
    assert found.std is None
    assert found.entropy is None
    assert found.at_bounds is not None
    assert not any("std before" in one for one in described(found))
