"""The deployed policy against the one that was evaluated: the same actions, to the bit."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sport_ray.deploy import BeyondPromise, DeployedPolicy, audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.seeds import seed_words, stream
from sport_ray.families import Gaussian
from sport_ray.policies import FrozenPolicy, load_policy
from sport_ray.properties import parse_property
from sport_ray.rollouts import Outcomes, ProjectedBehaviour, ScenarioPlan, run_scenarios
from tests.sport_ray.deploy.test_bundle import sealed

SCENARIOS = 60


def evaluated(folder: Path) -> ProjectedBehaviour:
    """The policy of a bundle as evaluations run it."""
    base, task = (FrozenPolicy(load_policy(folder / who).network) for who in ("base", "task"))
    return ProjectedBehaviour(base, task, load(folder).bundle.constraint)


def deployed_outcomes(
    policy: DeployedPolicy, plan: ScenarioPlan, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and robustness of scenarios 0 … count − 1, acted out by ``act``."""
    environment, prop = plan.environment(1), parse_property(plan.property)
    columns = [environment.signal_names.index(name) for name in prop.signal_names]
    lengths, robustness = np.zeros(count, dtype=int), np.zeros(count)
    slot = np.array([0])
    for index in range(count):
        # The seeds of scenario_generators.
        sequence = np.random.SeedSequence(plan.root_seed, spawn_key=(1, index))
        world, actions = sequence.spawn(2)
        observation, signals = environment.reset(slot, [np.random.default_rng(world)])
        policy.reset(actions)
        trace = np.full((1, plan.horizon + 1, len(columns)), np.nan)
        trace[0, 0] = signals[0, columns]
        for step in range(plan.horizon):
            after = environment.step(slot, policy.act(observation[0])[None])
            observation = after.observation
            trace[0, step + 1] = after.signals[0, columns]
            if after.terminated[0] or after.truncated[0]:
                break
        policy.end()
        named = {name: trace[:, :, k] for k, name in enumerate(prop.signal_names)}
        lengths[index] = step + 1
        robustness[index] = prop.evaluate(named, np.array([step + 2])).robustness[0]
    return lengths, robustness


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("ratio", "task"),
        ("pathwise", "task"),
        ("pathwise_all", "task_with_budget"),
        ("mean_shift", "task_with_budget"),
    ],
)
def test_scenarios_come_out_as_in_rollouts(
    name: str, task: str, export_of: Callable[..., Export], plan: ScenarioPlan, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def streams(
        root: int, purpose: str, index: int
    ) -> tuple[np.random.Generator, np.random.Generator]:
        """Those of scenarios, but for the actions': the ones of a deployed policy."""
        world, actions = np.random.SeedSequence(root, spawn_key=(1, index)).spawn(2)
        return np.random.default_rng(world), stream(seed_words(actions), 0)

    monkeypatch.setattr("sport_ray.rollouts.seeding.scenario_generators", streams)
    monkeypatch.setattr("sport_ray.rollouts.seeding.as_numpy", lambda: False)  # one by one
    write_bundle(tmp_path / "bundle", export_of(name, task))
    fresh = plan.model_copy(update={"purpose": "evaluate", "root_seed": 8})
    table: Outcomes = run_scenarios(fresh, evaluated(tmp_path / "bundle"), 0, SCENARIOS)
    order = np.argsort(table.index)
    lengths, robustness = deployed_outcomes(load(tmp_path / "bundle"), fresh, SCENARIOS)
    np.testing.assert_array_equal(lengths, table.length[order])
    np.testing.assert_array_equal(robustness, table.robustness[order])
    assert table.projected_steps.sum() > 0.5 * table.length.sum()  # the constraint did bind


@pytest.mark.parametrize("name", ["ratio", "mean_shift", "pathwise_spread"])
def test_each_step_samples_from_the_evaluated_gaussians(
    name: str, export_of: Callable[..., Export], observations: np.ndarray, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", export_of(name))
    behaviour, policy = evaluated(tmp_path / "bundle"), load(tmp_path / "bundle")
    warnings.simplefilter("ignore")  # one seed for all
    for chunk in observations.reshape(-1, 10, observations.shape[1]):
        policy.reset(5)
        state = behaviour.start(1)
        noise = stream(seed_words(5), 0).standard_normal((10, 2))
        for step, observation in enumerate(chunk):
            expected = behaviour.step(observation[None], state)
            action = policy.act(observation)
            last = policy.last
            assert last is not None
            assert last.played == "task"
            assert last.step == step
            assert not last.chosen.differs(expected.chosen[0])
            assert not last.base.differs(expected.base[0])
            drawn = expected.chosen.sample(noise[step])
            np.testing.assert_array_equal(action, np.tanh(drawn[0]))
            state = behaviour.spend(state, expected, drawn)
            assert policy.left == (state[0, 0] if state.size else np.inf)
            assert last.max_log_ratio == expected.max_log_ratio[0]


def test_a_seed_determines_an_episode_and_none_is_fresh(
    bundle: Path, observations: np.ndarray
) -> None:
    policy = load(bundle)

    def episode(seed: int | None) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            policy.reset(seed)
        return np.array([policy.act(row) for row in observations[:10]])

    np.testing.assert_array_equal(episode(4), episode(4))
    assert not np.array_equal(episode(4), episode(5))
    assert not np.array_equal(episode(None), episode(None))


def test_the_whole_law_is_sampled_not_its_mean(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle)
    drawn = []
    for seed in range(2000):
        policy.reset(seed)
        policy.act(observations[3])
        drawn.append(policy.last.drawn)
    mean, std = policy.last.chosen.arrays()
    # A mean of 2000 draws is off by more than 5 of its deviations once in 1.7 million.
    assert (np.abs(np.mean(drawn, axis=0) - mean) < 5.0 * std / np.sqrt(2000)).all()
    assert (np.abs(np.std(drawn, axis=0) / std - 1.0) < 5.0 / np.sqrt(4000)).all()


def test_actions_have_the_type_that_the_environment_was_given(
    bundle: Path, observations: np.ndarray
) -> None:
    policy = load(bundle)
    policy.reset(0)
    action = policy.act(observations[0].astype(np.float32).tolist())
    assert action.dtype == np.float64
    assert action.shape == (2,)
    assert (np.abs(action) <= 1.0).all()


def test_an_action_is_cast_as_evaluation_casts_it_and_is_nobody_elses(
    bundle: Path, observations: np.ndarray
) -> None:
    sealed(bundle, lambda m: m["spaces"]["action"].update(dtype="float32"))
    policy = load(bundle)
    policy.reset(0)
    first, second = policy.act(observations[0]), policy.act(observations[0])
    assert first.dtype == second.dtype == np.float32
    assert first.flags.owndata
    assert policy.last is not None
    np.testing.assert_array_equal(second, np.tanh(policy.last.drawn).astype(np.float32))
    assert not np.shares_memory(first, second)


def test_an_action_without_a_finite_number_is_refused(
    bundle: Path, observations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(bundle, lambda m: m["spaces"]["action"].update(dtype="float32"))
    policy = load(bundle)
    policy.reset(0)
    mapping = type(policy.bundle.base.spec.action_mapping)
    monkeypatch.setattr(mapping, "__call__", lambda self, drawn: 1e39 * drawn)
    with pytest.raises(BeyondPromise, match="not finite in float32"):
        policy.act(observations[0])
    with pytest.raises(BeyondPromise, match="refused earlier"):
        policy.act(observations[0])


def test_a_step_that_cannot_be_shown_to_be_within_is_the_base_policys(
    bundle: Path, observations: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = load(bundle)
    constraint = policy.bundle.constraint

    def beyond(self, base, task, limits):
        return Gaussian(task.mean, 0.5 * base.std)

    def broken(self, *given):
        raise ArithmeticError("no solution")

    for seed, wrong in enumerate((beyond, broken)):
        monkeypatch.setattr(type(constraint), "project", wrong)
        policy.reset(seed)
        policy.act(observations[0])
        assert policy.last.played == "base"
        assert policy.last.max_log_ratio == 0.0
        assert not policy.last.chosen.differs(policy.last.base)


def test_an_action_that_cannot_be_charged_is_not_played_nor_drawn_again(
    bundle: Path, observations: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was drawn is refused because of what it is.

    The base's action from the same noise, or another draw, would be no sample of the base policy.
    """
    log = tmp_path / "log.jsonl"
    policy = load(bundle, on_breach="base", log=log)
    constraint = policy.bundle.constraint

    def overspent(self, state: np.ndarray, cost: np.ndarray) -> np.ndarray:
        raise ArithmeticError("a step overspent its budget")

    policy.reset(0)
    policy.act(observations[0])
    with monkeypatch.context() as patched:
        patched.setattr(type(constraint), "spend", overspent)
        with pytest.raises(BeyondPromise, match="cannot be charged: a step overspent"):
            policy.act(observations[1])
    assert policy.guard.steps == 1
    policy.act(observations[1])  # for the rest of the episode: the base policy
    assert policy.last.played == "base"
    noise = stream(seed_words(0), 1).standard_normal(2)  # not the one that was refused
    np.testing.assert_array_equal(policy.last.drawn, policy.last.base.sample(noise))
    policy.close()
    assert [c.name for c in audit_log(log, read_bundle(bundle)) if c.passed is False] == ["promise"]


def test_threads_together_get_no_more_than_the_horizon(
    bundle: Path, observations: np.ndarray
) -> None:
    policy, before = load(bundle), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for seed in range(10):
            taken: list[int] = []

            def work(taken: list[int] = taken) -> None:
                for row in observations:
                    try:
                        policy.act(row)
                    except BeyondPromise:
                        return
                    taken.append(1)

            policy.reset(seed)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(taken) == policy.guard.steps == policy.bundle.horizon
    finally:
        sys.setswitchinterval(before)


def test_a_policy_in_the_middle_of_an_episode_cannot_be_doubled(bundle: Path) -> None:
    policy = load(bundle)
    for double in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            double(policy)


SEEDS = [
    np.int64(3), [np.int64(1), 2], np.array([1, 2]), 10**40,
    np.random.SeedSequence(np.int64(4)).spawn(2)[1],
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS, ids=range(len(SEEDS)))
def test_every_seed_that_numpy_takes_is_logged_and_drawn_again(
    seed: object, bundle: Path, observations: np.ndarray
) -> None:
    policy = load(bundle, log=bundle / "log.jsonl")
    policy.reset(seed)  # type: ignore[arg-type]
    policy.act(observations[0])
    known = policy.close()
    assert all(c.passed for c in audit_log(bundle / "log.jsonl", policy.bundle, known))


def test_after_a_seed_that_is_refused_nothing_acts(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle, log=bundle / "log.jsonl")
    for wrong in (-1, "x", np.random.SeedSequence(1, pool_size=8)):
        with pytest.raises((ValueError, TypeError)):
            policy.reset(wrong)  # type: ignore[arg-type]
        with pytest.raises(BeyondPromise):
            policy.act(observations[0])
