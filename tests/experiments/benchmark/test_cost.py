"""What the benchmark costs: what ran is the measure, and elsewhere steps are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from sport_ray.experiments.benchmark.compose import compose
from sport_ray.experiments.benchmark.cost import asked_of, measured, seconds_of
from sport_ray.experiments.benchmark.pace import pace_of
from sport_ray.experiments.benchmark.suite import ALL_BASES
from sport_ray.experiments.task_policies.source import source_class
from tests.experiments.benchmark.test_compose import suite, task

STEP = 2e-3


class Slow(gymnasium.Env):
    """Each step takes its time of the processor; an episode is over after three."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 3
        return np.zeros(2, np.float32), {"signals": {"crash": False}}

    def step(self, action):
        begun = time.process_time()
        while time.process_time() < begun + STEP:
            pass
        self.left -= 1
        over = self.left == 0
        return np.zeros(2, np.float32), 0.0, over, False, {"signals": {"crash": False}}


@pytest.fixture
def slow() -> Iterator[str]:
    name = "sport_ray_tests/Slow-v0"
    gymnasium.register(name, Slow)
    yield name
    del gymnasium.registry[name]


def test_a_step_is_timed_where_each_copy_is_stepped_alone(slow: str) -> None:
    alone = task(environment={"id": slow}, property="G !crash")
    assert pace_of(compose(suite("unconstrained"), alone, ALL_BASES[0]).study) >= STEP
    assert pace_of(compose(suite("unconstrained"), task(), ALL_BASES[0]).study) == 0.0


def test_every_step_of_a_study_is_paid_for() -> None:
    given = task(unconstrained_training={"env_steps": 60_000})
    part = compose(suite("unconstrained", seeds=2), given, ALL_BASES[0])
    study, known = part.study, measured(Path("nowhere"), [])
    assert study.base_training is not None
    cells = sum(one.cells for one in asked_of(study))
    steps = (
        study.base_training.env_steps
        + study.certificate.num_scenarios * study.certificate.max_horizon
        + 2 * 60_000
        + cells * study.evaluation.num_scenarios * 25
    )
    more = seconds_of(part, known, pace=1e-3) - seconds_of(part, known, pace=0.0)
    assert more == pytest.approx(1e-3 * steps)


def test_what_has_run_is_the_measure(tmp_path: Path) -> None:
    part = compose(suite("unconstrained", seeds=2), task(), ALL_BASES[0])
    for cell, policy, train in (("a", "1", 3.0), ("b", "1", 3.0), ("c", "2", 5.0)):
        path = tmp_path / part.folder / f"cells/{cell}/record.json"
        path.parent.mkdir(parents=True)
        record = {"cell_id": cell, "status": "finished", "source": "unconstrained"}
        record |= {"policy_digest": policy, "train_seconds": train, "eval_seconds": 7.0}
        path.write_text(json.dumps(record))
    known = measured(tmp_path, [part])
    assert known.spent == {"one": 3 * 7.0 + 3.0 + 5.0}
    assert known.training("one", "unconstrained", part.study, pace=1.0) == 4.0
    assert known.evaluation("one", "unconstrained", part.study, pace=1.0) == 7.0
    assert known.evaluation("one", "base", part.study, pace=1.0) == 7.0  # as others of the task


def test_every_source_of_the_benchmark_tells_its_steps() -> None:
    study = compose(suite(), task(), ALL_BASES[0]).study
    silent = {
        name
        for name in study.sources
        if not source_class(name)().steps(source_class(name)().settings_in(study, ()), 25)
    }
    assert silent == {"base", "critic"}  # what learns from the certificate's own episodes
