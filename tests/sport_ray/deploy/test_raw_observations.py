"""A deployed policy takes the environment's own observation: a dict, an index, an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from sport_ray.canonical import digest, readable_json
from sport_ray.deploy import BeyondPromise, audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec, load_policy, save_policy
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan, run_scenarios
from tests.sport_ray.deploy.conftest import certify, constraint_named, nudged
from tests.sport_ray.envs.nested import NESTED, NESTED_SIZE, NESTED_SPACE, Nested, register

register()
HORIZON = 20
FLATTENING = Flattening.needed(NESTED, NESTED_SPACE)
SPEC = PolicySpec(
    observation_size=NESTED_SIZE,
    action_size=1,
    hidden=(8,),
    log_std_min=-2.0,
    log_std_max=0.0,
    flattening=FLATTENING,
)


@pytest.fixture(scope="module")
def nested_plan() -> ScenarioPlan:
    """What is certified."""
    return ScenarioPlan(
        env_id=NESTED, env_kwargs={}, property="(!hazard) U goal", horizon=HORIZON, root_seed=3,
        purpose="certify",
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(nested_plan: ScenarioPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the nested observations."""
    folder = tmp_path_factory.mktemp("nested")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        base = PolicyNetwork(SPEC)
    with torch.no_grad():
        base.body[0].weight[:, 12:16] /= 255.0  # of the bytes
        base.body[-1].bias[0] += 0.7  # towards the goal
    digest_of_base = save_policy(folder / "base", base, {})
    certify(nested_plan, BaseBehaviour(FrozenPolicy(base)), digest_of_base, folder)
    save_policy(folder / "task", nudged(load_policy(folder / "base").network, 2), {})
    export = Export(
        base=folder / "base", task=folder / "task", certificate=folder / "certificate.json",
        constraint=constraint_named("ratio"), horizon=HORIZON, env_kwargs={}, alpha_mu=1.0,
        alpha_p=1.0, source={}, evidence={},
    )  # fmt: skip
    write_bundle(folder / "bundle", export)
    return folder / "bundle"


def test_an_episode_on_raw_observations_is_the_scenarios_policy(bundle, nested_plan, tmp_path):
    policy = load(bundle, log=tmp_path / "log.jsonl")
    base, task = (load_policy(bundle / who).network for who in ("base", "task"))
    behaviour = ProjectedBehaviour(
        FrozenPolicy(base), FrozenPolicy(task), constraint_named("ratio")
    )
    raw = gymnasium.make(NESTED, disable_env_checker=True).unwrapped
    observation, _ = raw.reset(seed=1)
    policy.reset(seed=2)
    for _ in range(HORIZON):
        action = policy.act(observation)
        own = behaviour.step(FLATTENING(observation)[None].astype(np.float64), behaviour.start(1))
        np.testing.assert_array_equal(policy.last.chosen.parameters, own.chosen[0].parameters)
        assert action.shape == (1,)
        observation, _, over, cut, _ = raw.step(action)
        if over or cut:
            break
    policy.end()
    policy.close()
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(bundle))
    assert all(check.passed for check in checks), checks
    assert run_scenarios(nested_plan, behaviour, 0, 20) is not None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gear": 7}, r"observation\['gear'\] is 7: expected an index from -1 to 1"),
        ({"where": np.zeros(3)}, r"observation\['where'\] has shape \(3,\)"),
        ({"where": np.array([np.nan, 0.0])}, r"observation\['where'\]\[0\] is not finite"),
        ({"where": np.array([1e39, 0.0])}, r"observation\['where'\]\[0\] is not finite"),
        ({"where": [True, False]}, "truth value"),
        ({"wheel": 1}, "has the keys"),
        ({"where": np.array([60.0, 0.0])}, r"observation\['where'\]\[0\] is 60, outside of the"),
        ({"lamps": np.full((2, 2), 2)}, "holds other numbers than 0 and 1"),
        ({"rest": None}, "expected a tuple of 2"),
    ],
)
def test_what_is_no_observation_is_refused_with_its_place(bundle, changes, says):
    policy = load(bundle)
    seen, _ = Nested().reset(seed=1)
    policy.reset(seed=2)
    with pytest.raises(BeyondPromise, match=says):
        policy.act({**seen, **changes})


def test_a_vector_is_none_and_tensors_are_arrays(bundle):
    policy = load(bundle)
    seen, _ = Nested().reset(seed=1)
    policy.reset(seed=2)
    first = policy.act(seen)
    policy = load(bundle)
    policy.reset(seed=2)
    again = policy.act({**seen, "where": torch.from_numpy(seen["where"])})
    np.testing.assert_array_equal(first, again)
    with pytest.raises(BeyondPromise, match="expected a dict with 'gear'"):
        policy.act(FLATTENING(seen))


def test_outside_of_the_space_the_base_may_act_where_it_can_see(bundle):
    policy = load(bundle, outside="base")
    seen, _ = Nested().reset(seed=1)
    policy.reset(seed=2)
    policy.act({**seen, "where": np.array([60.0, 0.0])})
    assert policy.last.played == "base"
    with pytest.raises(BeyondPromise, match="expected an index"):  # there is no such entry
        policy.act({**seen, "gear": 5})


def test_a_mapping_that_raises_is_refused(bundle):
    class Odd(dict):
        def __len__(self) -> int:
            raise RuntimeError("no length today")

    policy = load(bundle)
    policy.reset(seed=2)
    with pytest.raises(BeyondPromise, match="no length today"):
        policy.act(Odd())


def _altered(bundle: Path, out: Path, change: Any) -> Path:
    """A copy whose manifest was changed and whose digest was made to fit."""
    out.mkdir()
    for path in bundle.rglob("*"):
        if path.is_file():
            target = out / path.relative_to(bundle)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    manifest = json.loads((out / "manifest.json").read_text())
    del manifest["digest"]
    change(manifest)
    manifest["digest"] = digest(manifest)
    (out / "manifest.json").write_bytes(readable_json(manifest))
    return out


def test_a_manifest_of_another_space_is_refused(bundle, tmp_path):
    manifest = json.loads((bundle / "manifest.json").read_text())
    named = manifest["spaces"]["observation"]["flattening"]
    assert Flattening.model_validate(named) == FLATTENING
    load(_altered(bundle, tmp_path / "same", lambda manifest: None))
    for number, wrong in enumerate((None, {**named, "space": named["space"]["spaces"][0][1]})):

        def change(manifest: dict[str, Any], wrong: Any = wrong) -> None:
            manifest["spaces"]["observation"]["flattening"] = wrong

        with pytest.raises(UserError, match="made for another observation space"):
            load(_altered(bundle, tmp_path / str(number), change))


def test_a_base_for_another_space_is_refused_by_the_place_that_differs(nested_plan):
    space = gymnasium.spaces.Dict({**NESTED_SPACE.spaces, "gear": gymnasium.spaces.MultiBinary(3)})
    spec = SPEC.model_copy(update={"flattening": Flattening.needed("e", space)})
    assert spec.flattening.size == NESTED_SIZE  # of one size, and yet another
    with pytest.raises(
        UserError, match=r"observation\['gear'\] is Discrete\(3, -1\), the policy's MultiBinary"
    ):
        run_scenarios(nested_plan, BaseBehaviour(FrozenPolicy(PolicyNetwork(spec))), 0, 2)
    vectors = SPEC.model_copy(update={"flattening": None})
    with pytest.raises(UserError, match=r"gives Dict.*made for a vector.*FlattenObservation"):
        run_scenarios(nested_plan, BaseBehaviour(FrozenPolicy(PolicyNetwork(vectors))), 0, 2)


def test_base_and_task_of_two_spaces_have_no_projection():
    other = SPEC.model_copy(update={"flattening": None})
    base, task = FrozenPolicy(PolicyNetwork(SPEC)), FrozenPolicy(PolicyNetwork(other))
    with pytest.raises(ValueError, match="different observation spaces"):
        ProjectedBehaviour(base, task, constraint_named("ratio"))
