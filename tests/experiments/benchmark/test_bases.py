"""The bases that ship: of their tasks, by the rules that the tasks' files write down."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.experiments.benchmark.environments.gridworld_tables import (
    Lake,
    mean_steps,
    violation_probability,
)
from sport_ray.experiments.benchmark.environments.gridworlds import ROUND, STRAIT
from sport_ray.experiments.benchmark.files import HERE
from sport_ray.experiments.benchmark.task import BASE_SEEDS, LEVELS, TaskFile, tasks
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.rollouts import BaseBehaviour
from tests.exact_discrete import joint

TASKS = tasks()
SHIPPED = sorted((HERE / "bases").glob("*/*"))
LAKES = {"frozen_lake": (STRAIT, 0.0), "thin_ice": (ROUND, 0.02)}


def rule(task: TaskFile, level: str, seed: int) -> dict:
    return task.sections(level, seed, tiny=False)["base_training"]["accept"]


def named(folder) -> tuple[TaskFile, str, int]:
    level, _, seed = folder.name.rpartition("_")
    return TASKS[folder.parent.name], level, int(seed)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda one: f"{one.parent.name}/{one.name}")
def test_a_base_is_its_task_s_and_was_accepted_by_its_rule(folder):
    task, level, seed = named(folder)
    assert level in LEVELS
    assert seed in BASE_SEEDS
    about, wanted = load_policy(folder).provenance, rule(task, level, seed)
    assert about["environment"] == {
        key: task.study["environment"].get(key, {}) for key in ("id", "kwargs")
    }
    assert about["training"]["seed"] == seed
    *before, last = about["checkpoints"]
    assert last["accepted"]
    assert not any(one["accepted"] for one in before)
    assert last["bound"] <= wanted["epsilon"]
    if "steps" in wanted:
        low, high = wanted["steps"]
        assert low <= last["mean_steps"] <= high


@pytest.mark.parametrize("task", LAKES)
def test_on_the_lakes_the_exact_risk_of_a_base_is_what_was_accepted(task):
    rows, breaking = LAKES[task]
    lake = Lake.of(rows, 0.95, breaking)
    horizon = TASKS[task].study["horizon"]
    folders = [one for one in SHIPPED if one.parent.name == task]
    assert folders
    for folder in folders:
        base = BaseBehaviour(FrozenPolicy(load_policy(folder).network))
        seen = np.eye(lake.water + 1, lake.water)
        drawn = base.step(seen, base.start(len(seen)), None, np.zeros(len(seen)))
        policy = joint(drawn.chosen)
        wanted = rule(*named(folder))
        assert violation_probability(lake, policy, horizon) <= wanted["epsilon"], folder.name
        low, high = wanted["steps"]
        assert low - 1.0 < mean_steps(lake, policy, horizon) < high + 1.0, folder.name
