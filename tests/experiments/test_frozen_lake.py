"""Discrete actions through every stage, and every bound of the study against the exact truth.

FrozenLake has sixteen cells: what base and task policies do within T steps follows from dynamic
programming over cells and budgets, with the very laws that rollouts sample from.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from sport_ray.certificates import load_certificate
from sport_ray.deploy import load
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, load_study
from sport_ray.experiments.examples.frozen_lake import safe_frozen_lake
from sport_ray.experiments.stages.base import environment_sizes, train_base
from sport_ray.experiments.stages.base_statistics import described, statistics_of
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import family_of
from sport_ray.policies import FrozenPolicy, PolicyFile, policy_digest, save_policy
from sport_ray.rollouts import BaseBehaviour
from sport_ray.samplers import read_base
from sport_ray.selection import load_task_policy
from sport_ray.selection.task_policy import task_behaviour
from tests.exact_discrete import exact_law, table_policy
from tests.exact_mdp import GOAL, HAZARD, TabularMdp
from tests.experiments.cli.test_main import sport_ray

STUDY = Path(__file__).parents[2] / "experiments" / "studies" / "frozen_lake.yaml"


SMALL = ("SFF", "FHF", "FFG")
T = 5


class Lake(NamedTuple):
    """The lake as a TabularMdp, whose holes are one state, and what is seen in each of its states.

    The base's probabilities in it are not used.
    """

    mdp: TabularMdp
    seen: np.ndarray

    @classmethod
    def of(cls, **kwargs: Any) -> Lake:
        lake: Any = safe_frozen_lake(**kwargs).unwrapped
        letters = lake.desc.ravel()
        plain = [cell for cell, letter in enumerate(letters) if letter not in (b"G", b"H")]
        state = {cell: number + 2 for number, cell in enumerate(plain)}
        state |= {
            cell: GOAL if letters[cell] == b"G" else HAZARD
            for cell in range(len(letters))
            if cell not in state
        }
        size = len(plain) + 2
        step, start = np.zeros((size, 4, size)), np.zeros(size)
        step[:2] = np.eye(size)[:2, None]
        for cell in plain:
            start[state[cell]] = lake.initial_state_distrib[cell]
            for action in range(4):
                for chance, successor, _, _ in lake.P[cell][action]:
                    step[state[cell], action, state[successor]] += chance
        seen = np.zeros((size, len(letters)))
        for cell, number in state.items():
            seen[number] = np.eye(len(letters))[cell]
        return cls(TabularMdp(start, step, np.full((size, 4), 0.25)), seen)

    def soft_table(self, gamma: float = 0.8, temperature: float = 0.03) -> np.ndarray:
        """Log weights (cells, 4) of a base that is good and wide: soft Q values."""
        rewards = np.zeros(len(self.mdp.start))
        rewards[GOAL], rewards[HAZARD] = 1.0, -1.0
        value = np.zeros(len(rewards))
        for _ in range(300):
            q = self.mdp.step @ (rewards + gamma * value)
            value = temperature * np.log(np.exp(q / temperature).sum(1))
            value[: HAZARD + 1] = 0.0
        found = np.zeros((self.seen.shape[1], 4))
        found[self.seen.argmax(1)[2:]] = q[2:] / temperature
        return found


class Truths(NamedTuple):
    """Exact violation probabilities: the base's by T, and the cells' by id."""

    base: dict[int, float]
    cells: dict[str, float]
    planned: dict[str, Cell]


def truths(root: Path, budgets: bool = True) -> Truths:
    """Of a result folder. budgets: cells with one, too, which have as many states as paths."""
    study = Study.model_validate(json.loads((root / "study.json").read_text()))
    certificate = load_certificate(root / "certificate.json")
    lake = Lake.of(**study.environment.kwargs)
    base = read_base(root / "base")
    assert isinstance(base, PolicyFile)
    acting = BaseBehaviour(FrozenPolicy(base.network))
    exact = {
        horizon: exact_law(acting, lake.mdp, horizon, lake.seen).violation
        for horizon in range(1, study.certificate.max_horizon + 1)
    }
    found, planned = {}, Plan.of(study, certificate, family_of(base)).cells
    for cell_id, cell in planned.items():
        if cell.constraint.state_size and not budgets:
            continue
        record = json.loads((root / "cells" / cell_id / "record.json").read_text())
        task = load_task_policy(root / "policies" / record["policy_digest"][:16])
        behaviour = task_behaviour(base, task.policy, cell.constraint)
        law = exact_law(behaviour, lake.mdp, cell.horizon, lake.seen)
        assert law.spent <= cell.constraint.path_log_ratio_limit(cell.horizon) + 1e-12
        found[cell_id] = law.violation
    return Truths(exact, found, planned)


def held_against_the_truth(root: Path, budgets: bool = True) -> pd.DataFrame:
    """Every bound of a result folder, at its confidence; the table with the truth in it."""
    exact = truths(root, budgets)
    certificate = load_certificate(root / "certificate.json")
    for horizon, chance in exact.base.items():
        # With β of 1e-4 or less a failure here is a fault, or a reason to look.
        assert chance <= certificate.eps_base(horizon) * (1.0 + 1e-9), horizon
    cells = pd.read_csv(root / "cells.csv", dtype={"cell_id": str})
    assert (cells["status"] == "finished").all()
    cells = cells[cells["cell_id"].isin(list(exact.cells))].copy()
    cells["truth"] = cells["cell_id"].map(exact.cells)
    for cell in cells.to_dict("records"):
        where = cell["cell_id"], cell["constraint"]
        for name in ("prior_bound", "posterior_bound", "off_policy_bound"):
            assert not cell[name] < cell["truth"], (where, name)  # NaN: there is none
        counted = stats.binomtest(cell["num_violations"], cell["num_scenarios"], cell["truth"])
        assert counted.pvalue > 1e-5, where
        planned = exact.planned[cell["cell_id"]]
        if planned.projected:
            # From the exact ε_base alone: no confidence, and still no bound below the truth.
            evidence = dataclasses.replace(
                certificate.evidence(planned.horizon), eps_base=exact.base[planned.horizon]
            )
            bound = planned.constraint.prior_bound(evidence)
            assert cell["truth"] <= bound * (1.0 + 1e-9), where
    return cells


@pytest.fixture
def small(tmp_path) -> dict[str, Any]:
    """The shipped study on a lake of nine cells, around a base that is given."""
    study = yaml.safe_load(STUDY.read_text())
    kwargs = {"success_rate": 0.95, "desc": list(SMALL)}  # the base violates with chance 0.107
    weights = Lake.of(**kwargs).soft_table()
    save_policy(tmp_path / "given", table_policy(weights, (4,)), {})
    train = {"env_steps": 768, "train_batch_size": 256, "minibatch_size": 64, "num_envs": 8}
    study |= {"name": "small_lake", "base": "given"}
    del study["base_training"]
    study["environment"]["kwargs"] = kwargs
    study["certificate"] |= {"num_scenarios": 1500, "beta": 1e-4, "max_horizon": T}
    study["sweep"] |= {"horizons": [T], "eps_max": [0.5]}
    study["training"] |= {**train, "warmup_env_steps": 0, "lr": 0.05, "gamma": 0.9}
    study["evaluation"] |= {"num_scenarios": 400, "beta": 1e-4, "off_policy": 800}
    return study


def test_the_shipped_study_is_read(tmp_path):
    study = load_study(STUDY)
    assert environment_sizes(study) == (16, 1)
    lake = Lake.of(**study.environment.kwargs)
    assert lake.mdp.step.sum(-1) == pytest.approx(np.ones((13, 4)))
    # The best there is from the start, to compare with: about one in eight goes wrong.
    best = (np.arange(13) != GOAL).astype(float)
    for _ in range(study.certificate.max_horizon):
        best = (lake.mdp.step @ best).min(1)
        best[:2] = 0.0, 1.0
    assert 0.05 < best[2] < 0.2


def test_the_lake_s_base_is_described_by_its_entropy(small, write_study):
    study = load_study(write_study(small))
    weights = Lake.of(**study.environment.kwargs).soft_table()
    base = table_policy(weights, (4,))
    found = statistics_of(study, PolicyFile(base, policy_digest(base), {}))
    assert found.std is found.at_bounds is None
    assert 0.0 < found.entropy < math.log(4)
    assert 0.0 <= found.sure < 1.0
    assert any("one action has more than 99%" in line for line in described(found))
    sure = table_policy(100.0 * np.eye(4)[weights.argmax(1)], (4,))
    told = statistics_of(study, PolicyFile(sure, policy_digest(sure), {}))
    assert told.sure > 0.99
    assert any("nearly deterministic" in line for line in told.warnings())


def test_soft_actor_critic_is_refused_by_name(small):
    small["base_training"] = {"algorithm": "sac", "env_steps": 100}
    with pytest.raises(UserError, match=r"sac squashes real actions.*Discrete\(4\)"):
        train_base(Study.model_validate(small))


@pytest.mark.slow
def test_ppo_trains_a_base_of_whole_numbers(small, local_ray):
    small["base_training"] = {
        "env_steps": 6_000, "horizon": 20, "lr": 0.01, "gamma": 0.9, "hidden": [16], "num_envs": 8,
        "train_batch_size": 512, "minibatch_size": 64, "kwargs": {"caution": 1.0},
    }  # fmt: skip
    made = train_base(Study.model_validate(small))
    network = made.trained.policy
    assert network.spec.outcomes == (4,)
    lake = Lake.of(**small["environment"]["kwargs"])
    found = exact_law(BaseBehaviour(FrozenPolicy(network)), lake.mdp, 20, lake.seen)
    blind = exact_law(
        BaseBehaviour(FrozenPolicy(table_policy(np.zeros((9, 4)), (4,)))), lake.mdp, 20, lake.seen
    )
    assert found.violation < 0.5 * blind.violation
    assert made.statistics.sure is not None


@pytest.mark.slow
def test_no_bound_of_the_whole_study_is_below_the_truth(small, write_study, tmp_path):
    done = sport_ray("run", write_study(small), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 of 7 cells finished" in done.stdout
    root = tmp_path / "results" / "small_lake"
    held_against_the_truth(root)
    page = (root / "report.html").read_text()
    assert "Check failed" not in page
    verified = sport_ray("verify", root, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    cells = pd.read_csv(root / "cells.csv")
    deployed = cells[cells["projected"] & (cells["source"] == "projected_ppo")].iloc[0]
    bundle = tmp_path / "bundle"
    out = sport_ray("export", root / "cells" / deployed["cell_id"], "--out", bundle, cwd=tmp_path)
    assert out.returncode == 0, out.stdout + out.stderr
    policy = load(bundle)
    policy.reset()
    assert policy.act(np.eye(9)[0]) in range(4)
