"""What training draws comes from its named streams alone, the numbers that anybody can draw."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from sport_ray.families import Categorical, Gaussian
from sport_ray.policies import PolicyFile, policy_digest
from sport_ray.projected_ppo import IndexPPOConfig, ProjectedPPOConfig
from sport_ray.projected_ppo.minibatches import minibatches
from sport_ray.projected_ppo.streams import critic_network, minibatch_generator, noise_generator

ENV = "sport_ray/PointReachAvoid-v0"
MODULE, SEED, COPIES = "default_policy", 11, 8
BUDGET = {"name": "pathwise_all", "log_budget": 2.3}
WAYS = ["arrays", "episodes", "index"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


@pytest.fixture
def build(small_base):
    """Algorithms with short episodes, so that copies reset often, and all of them learn."""
    built = []

    def make(way, constraint=None, runners=0, evaluation=None):
        if way == "index":
            file = PolicyFile(small_base, policy_digest(small_base), {})
            config = IndexPPOConfig().choosing(file, candidates=8)
        else:
            config = ProjectedPPOConfig().training(base=small_base, sampling=way)
        config.environment(ENV, env_config={"horizon": 7, "layout": "random"})
        config.env_runners(num_env_runners=runners, num_envs_per_env_runner=COPIES)
        config.training(
            constraint=constraint or {"name": "ratio", "alpha": 1.2},
            warmup_env_steps=0,
            train_batch_size=160,
            minibatch_size=50,
            lr=1e-3,
        ).debugging(seed=SEED, log_level="ERROR")
        if evaluation is not None:
            config.evaluation(
                evaluation_interval=1,
                evaluation_duration=4,
                evaluation_num_env_runners=evaluation,
            )
        built.append(config.build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()


def weights(algorithm) -> np.ndarray:
    found = algorithm.learner_group.get_weights()[MODULE]
    assert {name.split(".")[0] for name in found} == {"actor", "critic"}
    return np.concatenate([np.ravel(found[name]) for name in sorted(found)])


def perturb(number: int) -> None:
    """Leave the global generators where nothing left them before."""
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize("constraint", [None, BUDGET])
@pytest.mark.parametrize("way", WAYS)
def test_the_global_generators_move_no_weight_by_a_bit(build, way, constraint):
    def trained(numbers):
        perturb(numbers[0])
        algorithm = build(way, constraint)
        first = weights(algorithm)
        for number in numbers:
            perturb(number)
            algorithm.train()
        assert not np.array_equal(weights(algorithm), first)
        return weights(algorithm)

    assert np.array_equal(trained([1, 2, 3]), trained([4, 5, 6]))


def watched(module) -> list[tuple[np.ndarray, np.ndarray]]:
    """Parameters (n, P) and actions (n, D) of each step that the module draws from now on."""
    seen = []
    exact = module.sample

    def sample(parameters):
        action = exact(parameters)
        seen.append((parameters.numpy().copy(), action.numpy().copy()))
        return action

    module.sample = sample
    return seen


def assert_drawn(steps, family, noise) -> None:
    """Every copy at every step, also those that only reset, in order."""
    for parameters, actions in steps:
        assert len(parameters) == COPIES
        drawn = family.draw_noise(noise, COPIES, 2)
        expected = family.from_parameters(parameters).sample(drawn)
        assert np.array_equal(actions, expected.astype(parameters.dtype))


@pytest.mark.parametrize("constraint", [None, BUDGET])
@pytest.mark.parametrize("way", WAYS)
def test_actions_are_those_of_the_runners_noise(build, way, constraint):
    """One stream through all iterations: new weights do not begin it again."""
    algorithm = build(way, constraint)
    steps = watched(algorithm.env_runner.module)
    sampled = sum(algorithm.train()["env_runners"]["num_env_steps_sampled"] for _ in range(3))
    assert len(steps) * COPIES > sampled >= 480  # some were resets
    assert_drawn(steps, Categorical if way == "index" else Gaussian, noise_generator(SEED, 0))


def test_a_failed_environment_does_not_begin_the_noise_again(build, monkeypatch):
    runner = build("arrays").env_runner
    runner.config.restart_failed_sub_environments = True
    steps, inner = watched(runner.module), runner.env.unwrapped
    runner.sample()

    def fails(actions):
        raise RuntimeError("lost")

    monkeypatch.setattr(inner, "step", fails)
    runner.sample()
    assert runner.env.unwrapped is not inner
    assert_drawn(steps, Gaussian, noise_generator(SEED, 0))


def test_each_remote_runner_has_noise_of_its_own(build):
    group = build("arrays", runners=2).env_runner_group
    noises = {index: noise_generator(SEED, index) for index in (1, 2)}
    for _ in range(2):  # the second fragments go on where the first ended
        fragments = dict(
            group.foreach_env_runner(
                lambda runner: (runner.worker_index, runner.sample()[0]), local_env_runner=False
            )
        )
        assert set(fragments) == set(noises)
        for index, fragment in fragments.items():
            steps = zip(fragment.action_dist_inputs, fragment.actions, strict=True)
            assert_drawn(steps, Gaussian, noises[index])


@pytest.mark.parametrize("way", ["arrays", "episodes"])
def test_evaluation_draws_apart_and_leaves_training_as_it_is(build, way):
    def trained(evaluation):
        algorithm = build(way, evaluation=evaluation)
        steps = []
        if evaluation is not None:
            steps = watched(algorithm.eval_env_runner.module)
        for _ in range(2):
            algorithm.train()
        return weights(algorithm), steps

    alone, _ = trained(None)
    beside, steps = trained(0)
    assert np.array_equal(alone, beside)
    assert len(steps) > 10
    noise = noise_generator(SEED, 0, evaluation=True)
    for parameters, actions in steps:
        drawn = Gaussian.draw_noise(noise, len(parameters), 2)
        expected = Gaussian.from_parameters(parameters).sample(drawn)
        assert np.array_equal(actions, expected.astype(np.float32))


@pytest.mark.parametrize("way", WAYS)
def test_minibatches_are_rows_by_the_learners_permutations(build, way, monkeypatch):
    """Through two updates, of the batches as they were made."""
    algorithm = build(way)
    learner = algorithm.learner_group._learner
    batches, updates = [], []
    make, update = learner._make_batch_if_necessary, learner._update

    def made(training_data):
        found = make(training_data)
        batches.append({k: v.numpy().copy() for k, v in found.policy_batches[MODULE].items()})
        return found

    def updated(batch, **kwargs):
        updates.append({k: v.numpy().copy() for k, v in batch[MODULE].items()})
        return update(batch, **kwargs)

    monkeypatch.setattr(learner, "_make_batch_if_necessary", made)
    monkeypatch.setattr(learner, "_update", updated)
    generator = minibatch_generator(SEED)
    for number in range(2):
        algorithm.train()
        batch = batches[number]
        expected = minibatches(len(batch[Columns.OBS]), 50, 4, generator)
        assert len(updates) == len(expected)
        for found, rows in zip(updates, expected, strict=True):
            assert set(found) == set(batch)
            for name, column in batch.items():
                assert np.array_equal(found[name], column[rows]), name
        updates.clear()


def test_first_critics_are_the_seeds(build):
    index = build("index")
    hidden = index.learner_group._learner.module[MODULE].preference.hidden
    for algorithm, sizes in ((build("arrays"), (44, 32, 32, 1)), (index, (44, *hidden, 1))):
        critic = algorithm.learner_group._learner.module[MODULE].critic.state_dict()
        expected = critic_network(sizes, "relu", SEED).state_dict()
        assert list(critic) == list(expected)
        assert all(torch.equal(critic[name], expected[name]) for name in critic)
