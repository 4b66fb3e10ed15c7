"""What the plan says of each source's training."""

from __future__ import annotations

from pathlib import Path

from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.sweep.parameters import source_parameters

STUDIES = Path(__file__).parents[3] / "experiments" / "studies"


def test_every_parameter_of_every_source_is_there_by_its_own_name() -> None:
    study = load_study(STUDIES / "comparators.yaml")
    found = source_parameters(study)
    assert set(found) == set(study.sources)
    assert found["projected_ppo"]["gamma"] == study.training.gamma
    assert found["projected_ppo"]["train_batch_size"] == study.training.train_batch_size
    assert found["scpo"]["step_size"] > 0
    for parameters in found.values():
        for name, value in parameters.items():
            assert isinstance(value, (bool, int, float, str)), name


def test_a_source_beside_its_training_has_both_without_a_clash() -> None:
    study = load_study(STUDIES / "selection.yaml")
    found = source_parameters(study)["task_density"]
    assert found["candidates"] > 1
    assert found["gamma"] == (study.unconstrained_training or study.training).gamma
