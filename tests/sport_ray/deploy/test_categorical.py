"""A categorical base and task from export to audit: whole numbers out, every index drawn again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.canonical import digest as digest_of
from sport_ray.canonical import readable_json
from sport_ray.certificates import FixedSampling, build_certificate, save_certificate
from sport_ray.constraints import constraint_from_json
from sport_ray.deploy import load
from sport_ray.deploy.audit import audit_log
from sport_ray.deploy.bundle import read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.verify import verify_bundle
from sport_ray.envs.making import make_environment
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, load_policy, save_policy
from sport_ray.rollouts import (
    BaseBehaviour,
    OutcomeTotals,
    ProjectedBehaviour,
    ScenarioPlan,
    Tally,
    run_scenarios,
)
from sport_ray.selection import Selector
from sport_ray.selection.scores import TaskDensity
from tests.exact_discrete import INDEXED, register_indexed, table_policy
from tests.exact_mdp import REACH_AVOID, random_mdp
from tests.sport_ray.deploy.test_audit import resealed

HORIZON, STATES, COUNT = 8, 5, 400
KINDS: dict[str, dict[str, Any]] = {  # the base violates with probability 0.018, and 0.049
    "discrete": {"sizes": (4,), "first": 2, "seed": 19},
    "multi": {"sizes": (3, 2), "first": 0, "seed": 0},
}
CONSTRAINTS: dict[str, dict[str, Any]] = {
    "ratio": {"alpha": 1.03},
    "violation_time": {"alpha": 1.03},
    "pathwise_all": {"log_budget": 0.3},
    "two_point": {"alpha": 1.05, "kappa": 0.9},
}


def careful(sizes: tuple[int, ...], seed: int) -> np.ndarray:
    """Log weights (S, Σ n) that prefer, factor by factor, what leads to the goal."""
    mdp = random_mdp(seed, STATES, int(np.prod(sizes)))
    value = (mdp.step[:, :, 0] - mdp.step[:, :, 1]).reshape(STATES, *sizes)
    axes = range(1, len(sizes) + 1)
    means = [value.mean(axis=tuple(a for a in axes if a != axis)) for axis in axes]
    return 6.0 * np.concatenate(means, axis=1)


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A folder with base, task, selector and certificate, and the world's arguments."""
    register_indexed()
    kind = KINDS[request.param]
    sizes, first = kind["sizes"], kind["first"]
    folder = tmp_path_factory.mktemp(request.param)
    weights = careful(sizes, kind["seed"])
    base = table_policy(weights, sizes, first)
    task = table_policy(weights + np.random.default_rng(1).normal(size=weights.shape), sizes, first)
    kwargs = {**kind, "sizes": list(sizes), "horizon": HORIZON, "states": STATES}
    plan = ScenarioPlan(
        env_id=INDEXED, env_kwargs=kwargs, property=REACH_AVOID, horizon=HORIZON, root_seed=3,
        purpose="certify",
    )  # fmt: skip
    digest = save_policy(folder / "base", base, {})
    save_policy(folder / "task", task, {})
    Selector(8, TaskDensity(task)).save(folder / "selector", {})
    totals = OutcomeTotals(HORIZON)
    totals.add(run_scenarios(plan, BaseBehaviour(FrozenPolicy(base)), 0, COUNT))
    certificate = build_certificate(
        plan, totals, Tally(COUNT, COUNT, 0), sampling=FixedSampling(num_scenarios=COUNT),
        beta=1e-3, base_digest=digest, outcomes_file="none.parquet", outcomes_sha256="cd" * 32,
        versions={}, code={},
    )  # fmt: skip
    save_certificate(folder / "certificate.json", certificate)
    return folder, kwargs


def export(made, name: str, out: Path, task: str = "task") -> Path:
    folder, kwargs = made
    write_bundle(out, Export(
        base=folder / "base", task=folder / task, certificate=folder / "certificate.json",
        constraint=constraint_from_json({"name": name, **CONSTRAINTS.get(name, {"alpha": 1.03})}),
        horizon=HORIZON, env_kwargs=kwargs, alpha_mu=1.0, alpha_p=1.0, source={}, evidence={},
    ))  # fmt: skip
    return out


def played(policy, world, episodes: int) -> list[Any]:
    """The actions of some episodes, each taken by the environment as it is."""
    actions = []
    for episode in range(episodes):
        seen, _ = world.reset(seed=episode)
        policy.reset()
        over = False
        for _ in range(HORIZON):
            actions.append(action := policy.act(seen))
            assert world.action_space.contains(action)
            seen, _, terminated, truncated, _ = world.step(action)
            if over := terminated or truncated:
                break
        assert over
        policy.end()
    return actions


def world_of(made):
    return make_environment(INDEXED, made[1], HORIZON).unwrapped


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_log_of_whole_numbers_is_audited_and_replayed(made, name, tmp_path):
    out = export(made, name, tmp_path / "bundle")
    policy = load(out, log=tmp_path / "log.jsonl")
    actions = played(policy, world_of(made), 12)
    discrete = len(made[1]["sizes"]) == 1
    assert all(type(a) is int if discrete else a.dtype == np.int64 for a in actions)
    digest = policy.close()
    checks = {one.name: one for one in audit_log(tmp_path / "log.jsonl", read_bundle(out), digest)}
    assert all(one.passed for one in checks.values()), checks
    alone = {one.name: one for one in audit_log(tmp_path / "log.jsonl", expect=digest)}
    assert alone.pop("replay").passed is None
    assert all(one.passed for one in alone.values()), alone
    assert all(one.passed is not False for one in verify_bundle(out))


def test_what_acts_is_what_an_evaluation_runs(made, tmp_path):
    """The frequencies of 4,000 first actions against the projected law, to 4 standard errors."""
    out = export(made, "ratio", tmp_path / "bundle")
    policy, folder = load(out), made[0]
    behaviour = ProjectedBehaviour(
        *(FrozenPolicy(load_policy(folder / one).network) for one in ("base", "task")),
        constraint_from_json({"name": "ratio", **CONSTRAINTS["ratio"]}),
    )
    seen = np.eye(STATES)[3]
    law = behaviour.step(seen[None], np.zeros((1, 0))).chosen
    drawn = []
    for _ in range(4_000):
        policy.reset()
        drawn.append(np.atleast_1d(policy.act(seen)) - made[1]["first"])
    for factor, p in enumerate(getattr(law, "factors", (law,))):
        exact = p.arrays()[0][0]
        share = np.bincount(np.array(drawn)[:, factor], minlength=len(exact)) / len(drawn)
        assert (abs(share - exact) <= 4.0 * np.sqrt(exact / len(drawn)) + 1e-12).all()


@pytest.mark.parametrize("name", ["gauss_renyi", "mean_shift"])
def test_a_bound_for_gaussians_is_no_promise_of_a_categorical(made, name, tmp_path):
    folder = made[0]
    given = {"alpha": 1.03} if name == "gauss_renyi" else {"mu": 0.1}
    with pytest.raises(UserError, match="categorical"):
        write_bundle(tmp_path / "bundle", Export(
            base=folder / "base", task=folder / "task", certificate=folder / "certificate.json",
            constraint=constraint_from_json({"name": name, **given}), horizon=HORIZON,
            env_kwargs=made[1], alpha_mu=1.0, alpha_p=1.0, source={}, evidence={},
        ))  # fmt: skip
    assert not (tmp_path / "bundle").exists()


def test_a_choice_among_the_categorical_base_s_samples_is_deployed_as_well(made, tmp_path):
    out = export(made, "ratio", tmp_path / "bundle", task="selector")
    policy = load(out, log=tmp_path / "log.jsonl")
    played(policy, world_of(made), 5)
    digest = policy.close()
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(out), digest)
    assert all(one.passed for one in checks), checks


def uniform_instead(record: dict[str, Any]) -> None:
    """The task's law put where it is not allowed to be: all on one outcome of each factor."""
    p = np.array(record["chosen"]["probabilities"])
    record["chosen"]["probabilities"] = (p == p.max()).astype(float).tolist()


FORGERIES = {
    "a law outside of the limit": uniform_instead,
    "an index that there is not": lambda record: record.update(drawn=[9.0] * len(record["drawn"])),
    "half an index": lambda record: record.update(drawn=[0.5] * len(record["drawn"])),
    "one index too many": lambda record: record.update(drawn=[*record["drawn"], 0.0]),
    "candidates": lambda record: [
        record.pop("base"),
        record.update(candidates=4, action=record["drawn"]),
    ],
    "a probability less": lambda record: record["base"]["probabilities"].pop(),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_step_is_refused_even_without_the_bundle(made, what, tmp_path):
    out = export(made, "ratio", tmp_path / "bundle")
    policy = load(out, log=tmp_path / "log.jsonl")
    played(policy, world_of(made), 1)
    policy.close()
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines()
    first = [json.loads(line)["kind"] for line in lines].index("step")

    def change(number: int, record: dict[str, Any]) -> None:
        if number == first:
            FORGERIES[what](record)

    (tmp_path / "log.jsonl").write_bytes(resealed(lines, change))
    assert any(one.passed is False for one in audit_log(tmp_path / "log.jsonl"))


def test_a_manifest_that_states_other_indices_is_refused(made, tmp_path):
    out = export(made, "ratio", tmp_path / "bundle")
    path = out / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["spaces"]["action"]["high"][0] += 1
    manifest.pop("digest")
    manifest["digest"] = digest_of(manifest)
    path.write_bytes(readable_json(manifest))
    with pytest.raises(UserError, match="not the policy's indices"):
        read_bundle(out)
