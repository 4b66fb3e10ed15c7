"""Mixtures of a study's cells: from its points to one bundle, and to the tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sport_ray.bounds.mixture import UNITS
from sport_ray.certificates import load_certificate
from sport_ray.constraints.mixture import Mixture, mixture_from_json
from sport_ray.deploy import audit_log, load, read_bundle
from sport_ray.deploy.export import write_bundle
from sport_ray.deploy.verify import verify_bundle
from sport_ray.errors import UserError
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.stages.export import export_of_mixture
from sport_ray.experiments.stages.mix import _require_unrefuted, folder_of, mix
from sport_ray.experiments.study import Study
from sport_ray.experiments.sweep.evaluation import evaluation_plan
from sport_ray.rollouts import run_scenarios
from sport_ray.rollouts.seeding import part_numbers, scenario_generators
from sport_ray.samplers import read_base
from sport_ray.selection import load_task_policy, task_behaviour
from sport_ray.tracking.console import PlainConsole
from sport_ray.tracking.results.mixtures import (
    BEST,
    FILE,
    KINDS,
    SINGLE,
    read_mixtures,
    saved_by_seed,
)
from tests.experiments.test_report_anywhere import sport_ray

LEVELS, COUNT, HORIZON = [0.1, 0.2], 60, 25
STUDY = {
    "name": "mixed",
    "certificate": {"num_scenarios": 300, "transitions": 100, "beta": 1e-2, "max_horizon": HORIZON},
    "sweep": {
        "alphas": [1.0],
        "eps_max": [0.2],
        "horizons": [HORIZON],
        "seeds": [0, 1],
        "constraints": ["ratio", "pathwise_all", "violation_time"],
    },
    "task_policies": {
        "critic": {
            "candidates": 8, "embedding": [16], "hidden": [16], "outcome_updates": 100,
            "bootstrap_updates": 20, "rule": "greedy",
        }
    },
    "mixtures": {"eps_max": LEVELS, "num_scenarios": COUNT},
    "evaluation": {"num_scenarios": 60, "beta": 1e-2},
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a small study with mixtures."""
    folder = tmp_path_factory.mktemp("mixed") / "results"
    Study(parse_study(STUDY, "study"), folder, alone=True, console=PlainConsole(quiet=True)).run()
    return folder


def rows_of(root: Path) -> list[dict]:
    return read_mixtures(root, load_certificate(root / "certificate.json").digest)


def test_the_best_mixture_is_there_for_each_level(root):
    rows = rows_of(root)
    kinds = [(row["eps_max"], row["kind"]) for row in rows]
    # No unconstrained policy of PPO: no coin flip.
    assert kinds == [(level, kind) for level in LEVELS for kind in (BEST, SINGLE)]
    for row in rows:
        assert row["bound"] <= row["eps_max"]
        assert 1 <= len(row["parts"]) == len(row["weights"]) <= 2
        assert sum(int(weight * UNITS) for weight in row["weights"]) == UNITS
        assert [one["seed"] for one in row["seeds"]] == [0, 1]
        assert all(one["num_scenarios"] == COUNT for one in row["seeds"])
        # A bound with a confidence of its own is no part.
        assert all(part["constraint"]["name"] != "violation_time" for part in row["parts"])
    for best, single in zip(rows[::2], rows[1::2], strict=True):
        assert best["expected_saved"] >= single["expected_saved"]
    assert rows[2]["expected_saved"] > rows[0]["expected_saved"] > rows[1]["expected_saved"] == 0.0
    assert len(rows[0]["parts"]) == 2  # of the base and a setting of 0.2; 0.1 is none's own
    assert rows[0]["bound"] == pytest.approx(0.1, rel=1e-12)


def test_fresh_scenarios_are_those_of_the_part_that_each_draws(root):
    """The numbers, scenario by scenario, from the policies themselves."""
    folder, row = folder_of(root), rows_of(root)[0]
    mixture = Mixture(
        tuple(row["weights"]),
        tuple(mixture_from_json({"name": "mixture", "weights": row["weights"],
                                 "parts": [p["constraint"] for p in row["parts"]]}).parts),
    )  # fmt: skip
    plan = evaluation_plan(folder.study, HORIZON, 1).model_copy(update={"purpose": "mix"})
    drawn = mixture.drawn(part_numbers(plan.root_seed, "mix", np.arange(COUNT)))
    assert set(drawn) == {0, 1}
    base, lengths, violated = read_base(folder.base), np.zeros(COUNT), np.zeros(COUNT, dtype=bool)
    for number, part in enumerate(row["parts"]):
        record = folder.read_record(part["cells"]["1"])
        policy = load_task_policy(folder.policy(record["policy_digest"])).policy
        behaviour = task_behaviour(base, policy, mixture.parts[number])
        outcomes = run_scenarios(plan, behaviour, 0, COUNT)
        mine = drawn == number
        lengths[mine] = outcomes.length[mine]
        violated[mine] = ~outcomes.satisfied_by(HORIZON)[mine]
    judged = row["seeds"][1]
    assert judged["num_violations"] == violated.sum()
    if not violated.any():  # else an episode goes on beyond its violation, for the task's steps
        assert judged["mean_task_steps"] == pytest.approx(lengths.mean())


def test_the_draw_is_of_a_stream_of_its_own():
    numbers = part_numbers(3, "mix", np.arange(50))
    assert len(set(numbers)) == 50
    others = [g.random() for i in range(50) for g in scenario_generators(3, "mix", i)]
    assert not set(numbers) & set(others)
    np.testing.assert_array_equal(part_numbers(3, "mix", np.array([7, 9])), numbers[[7, 9]])
    assert not set(numbers) & set(part_numbers(3, "evaluate", np.arange(50)))


def test_one_bundle_acts_and_is_audited(root, tmp_path):
    row = rows_of(root)[0]
    digest = write_bundle(tmp_path / "bundle", export_of_mixture(root, 0.1, 1, None))
    bundle = read_bundle(tmp_path / "bundle", expect=digest)
    assert bundle.promise["bound"] == row["bound"]
    assert len(bundle.parts) == 2
    checks = {check.name: check.passed for check in verify_bundle(tmp_path / "bundle")}
    assert all(checks[name] for name in ("promise", "evidence", "files", "nothing else"))
    policy, seen = load(tmp_path / "bundle", log=tmp_path / "log"), set()
    observation = np.zeros(44)
    observation[2], observation[6] = 9.81, 0.1
    for seed in range(12):
        policy.reset(seed)
        seen.add(policy.part)
        policy.act(observation)
    policy.close()
    assert seen == {0, 1}
    assert all(c.passed for c in audit_log(tmp_path / "log", bundle) if c.passed is not None)


def test_what_is_not_there_is_named(root):
    for eps_max, seed, said in ((0.3, 0, "names 0 mixtures"), (0.1, 7, "seed 7 is not one")):
        with pytest.raises(UserError, match=said):
            export_of_mixture(root, eps_max, seed, None)
    with pytest.raises(UserError, match="names 0 mixtures"):
        export_of_mixture(root, 0.1, 0, 12)


def test_a_level_below_the_base_is_refused_and_nothing_is_written(root):
    before = (root / FILE).read_bytes()
    with pytest.raises(UserError, match="eps_max = 1e-05 cannot be reached at horizon 25"):
        mix(folder_of(root), PlainConsole(quiet=True), [1e-5])
    assert (root / FILE).read_bytes() == before


@pytest.mark.slow
def test_a_folder_that_may_only_be_read_is_told_before_anything_is_simulated(root, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(root, kept)
    kept.chmod(0o555)
    refused = sport_ray("mix", kept, cwd=tmp_path, bound=True)
    assert refused.returncode == 2
    assert refused.stderr.decode() == (
        f"sport-ray: {kept} cannot be written (Permission denied): copy the results to where you "
        "may write\n"
    )


def test_the_tables_have_them(root):
    found = pd.read_csv(root / "speedup.csv").set_index(["eps_max", "kind"])
    for row in rows_of(root):
        there = found.loc[row["eps_max"], KINDS[row["kind"]]]
        assert there["saved"] == pytest.approx(saved_by_seed(row).mean())
        assert there["prior_bound"] == pytest.approx(row["bound"])
        assert there["seeds"] == 2
    assert "random budget, best mixture" in (root / "report.html").read_text()


def test_a_file_that_was_altered_or_is_of_another_certificate(root, tmp_path):
    content = json.loads((root / FILE).read_text())
    assert read_mixtures(root, "ab" * 32) == []
    assert read_mixtures(tmp_path, content["certificate"]) == []
    content["rows"][0]["bound"] = 0.0
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(UserError, match="its digest does not match its content"):
        read_mixtures(tmp_path, content["certificate"])


def test_fresh_scenarios_that_refute_the_promise_raise_the_alarm():
    row = {"kind": BEST, "eps_max": 0.1, "bound": 0.1,
           "seeds": [{"seed": 3, "num_scenarios": 1000, "num_violations": 100}]}  # fmt: skip
    _require_unrefuted([row])
    row["seeds"][0]["num_violations"] = 200
    with pytest.raises(UserError, match=r"REFUTED: the mixture .* 200 of 1000 .*seed 3"):
        _require_unrefuted([row])
