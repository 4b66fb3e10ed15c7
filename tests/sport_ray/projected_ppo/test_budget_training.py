"""Budgets through RLlib: whole at every start, charged as replayed, checked, seen, learned with."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData

from sport_ray.constraints import constraint_from_json
from sport_ray.families import Gaussian
from sport_ray.policies import PolicyNetwork
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.module import POLICY_INPUTS

ENV = "sport_ray/PointReachAvoid-v0"
MODULE = "default_policy"
TABLE = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
CONSTRAINTS = {
    "all": {"name": "pathwise_all", "log_budget": 2.3},
    "spread": {"name": "pathwise", "log_budget": 2.3, "steps_left": TABLE},
    "shift": {"name": "mean_shift", "mu": 1.2, "steps_left": TABLE},
}
COLUMNS = (
    Columns.OBS,
    Columns.ACTIONS,
    Columns.ACTION_LOGP,
    Columns.ACTION_DIST_INPUTS,
    POLICY_INPUTS,
)
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


@pytest.fixture(params=CONSTRAINTS)
def record(request):
    return CONSTRAINTS[request.param]


@pytest.fixture
def task(small_base):
    """A task policy some way off the base, so that every budget is spent."""
    network = PolicyNetwork(small_base.spec)
    network.load_state_dict({k: 2.0 * v for k, v in small_base.state_dict().items()})
    return network


@pytest.fixture
def configure(small_base):
    """Episodes that terminate and episodes that are cut after seven steps, random layouts."""

    def make(record, sampling="arrays", *, runners=0, envs=8, **training):
        return (
            ProjectedPPOConfig()
            .environment(ENV, env_config={"horizon": 7, "layout": "random"})
            .env_runners(num_env_runners=runners, num_envs_per_env_runner=envs)
            .training(base=small_base, constraint=record, sampling=sampling)
            .training(warmup_env_steps=0, train_batch_size=320, minibatch_size=80, lr=1e-2)
            .training(**training)
            .debugging(seed=11, log_level="ERROR")
        )

    return make


@pytest.fixture
def build(configure):
    built = []

    def make(*args, **kwargs):
        built.append(configure(*args, **kwargs).build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()


def paths(samples):
    """Per environment or episode: (is it a start, features, actions, distribution, inputs) rows.

    Yields (key, whole start?, columns) for stretches of consecutive steps, in order.
    """
    for sample in samples:
        if isinstance(sample, Fragment):
            for env in range(sample.taken.shape[1]):
                resets = np.flatnonzero(~sample.taken[:, env])
                edges = [-1, *resets.tolist(), len(sample.taken)]
                for before, after in pairwise(edges):
                    rows = slice(before + 1, after)
                    yield (
                        env,
                        before >= 0,
                        [
                            sample.observations[before + 1 : after + 1, env],
                            sample.actions[rows, env],
                            sample.action_dist_inputs[rows, env],
                            sample.policy_inputs[rows, env],
                        ],
                    )
        else:
            outputs = (
                sample.get_extra_model_outputs(name)
                for name in (Columns.ACTION_DIST_INPUTS, POLICY_INPUTS)
            )
            yield (
                sample.id_,
                sample.t_started == 0,
                [
                    sample.get_observations(slice(0, None)),
                    sample.get_actions(),
                    *outputs,
                ],
            )


def replay(constraint, samples, states, first):
    """Charge every step anew; the features that came with it must be those. Steps, starts."""
    steps = starts = 0
    for key, start, (seen, actions, chosen, inputs) in paths(samples):
        fresh = start or (first and key not in states)
        state = constraint.start(1) if fresh else states[key]
        starts += fresh
        for now in range(len(actions)):
            expected = constraint.features(state)
            assert np.array_equal(np.float32(seen[now : now + 1, -2:]), expected)
            numbers = torch.from_numpy(np.concatenate([chosen[now], inputs[now]])[None])
            step, base, _ = (Gaussian.from_parameters(x) for x in numbers.chunk(3, dim=-1))
            assert constraint.within(step, base, torch.from_numpy(constraint.limits(state))).all()
            cost = constraint.cost(step, base, actions[now : now + 1].astype(np.float64))
            # Rounded to float32 on its way through RLlib, so charged as the next number above.
            cost = np.nextafter(np.float32(cost), np.float32(np.inf)) * (cost != 0.0)
            state = constraint.spend(state, cost.astype(np.float64))
            steps += 1
        if len(seen) > len(actions):  # the state after the last step
            assert np.array_equal(np.float32(seen[-1:, -2:]), constraint.features(state))
        states[key] = state
    return steps, starts


@pytest.mark.parametrize(("sampling", "envs"), [("arrays", 8), ("arrays", 1), ("episodes", 1)])
def test_features_are_what_a_replay_of_the_costs_gives(build, task, record, sampling, envs):
    """Over several samples, so that episodes go on; all numbers equal to the bit."""
    algorithm = build(record, sampling, envs=envs, task=task)
    constraint, states, total, starts = constraint_from_json(record), {}, 0, 0
    for index in range(3):
        samples = algorithm.env_runner.sample()
        taken, begun = replay(constraint, samples, states, index == 0 or sampling == "episodes")
        total, starts = total + taken, starts + begun
    assert total >= 960
    assert starts > 100
    spent = [state[0, 0] for state in states.values()]
    assert min(spent) < constraint.start(1)[0, 0]


@pytest.mark.parametrize("sampling", ["arrays", "episodes"])
def test_a_remote_runner_does_the_same(build, task, sampling):
    record = CONSTRAINTS["all"]
    algorithm = build(record, sampling, runners=1, task=task)
    constraint = constraint_from_json(record)
    for _ in range(2):
        result = algorithm.train()
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] >= 640
    # The training went on with weights of its own; the next sample starts afresh.
    samples = algorithm.env_runner_group.foreach_env_runner(
        lambda runner: runner.sample(force_reset=True), local_env_runner=False
    )
    steps, starts = replay(constraint, samples[0], {}, True)
    assert steps >= 320
    assert starts > 40


def rows(algorithm, samples):
    """The learner's batch without the rows that the loss does not count."""
    learner = algorithm.learner_group._learner
    batch = learner._make_batch_if_necessary(TrainingData(episodes=samples))
    columns = dict(batch.policy_batches[MODULE])
    mask = columns.get(Columns.LOSS_MASK, slice(None))
    return {name: column[mask].numpy() for name, column in columns.items()}


def test_arrays_and_episodes_are_the_same_to_the_bit(build, task, record):
    def sample_twice(sampling):
        algorithm = build(record, sampling, task=task)
        return [rows(algorithm, algorithm.env_runner.sample()) for _ in range(2)]

    for plain, fast in zip(sample_twice("episodes"), sample_twice("arrays"), strict=True):
        for name in COLUMNS:
            assert np.array_equal(plain[name], fast[name]), name


@pytest.mark.parametrize(
    ("sampling", "gradient"), [("arrays", "through_projection"), ("episodes", "paper")]
)
def test_training_uses_the_budget_and_the_base_does_not_see_it(build, record, sampling, gradient):
    algorithm = build(record, sampling, gradient=gradient)
    before = algorithm.base_fingerprint()
    assert not algorithm.task_policy().body[0].weight[:, -2:].any()  # at first it is ignored
    for _ in range(3):
        result = algorithm.train()
    learned = algorithm.task_policy()
    assert learned.spec.observation_size == 46
    assert learned.body[0].weight[:, -2:].abs().max() > 0
    assert algorithm.base_fingerprint() == before
    assert algorithm.env_runner.module.base.spec.observation_size == 44
    assert 0.0 < result["learners"][MODULE]["projected_share"] <= 1.0


def test_the_constant_ratio_by_another_name_trains_as_it_does(build):
    """Gauss–Rényi is another promise for the same policies: the same samples and weights."""

    def trained(record):
        torch.set_num_threads(1)
        algorithm = build(record)
        algorithm.train()
        weights = algorithm.learner_group.get_weights()[MODULE]
        return np.concatenate([np.ravel(weights[name]) for name in sorted(weights)])

    threads = torch.get_num_threads()
    try:
        ratio = trained({"name": "ratio", "alpha": 1.2})
        assert np.array_equal(trained({"name": "gauss_renyi", "alpha": 1.2}), ratio)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("sampling", ["arrays", "episodes"])
@pytest.mark.parametrize(
    "nothing", [{"name": "pathwise_all", "log_budget": 0.0}, {"name": "mean_shift", "mu": 0.0}]
)
def test_without_anything_to_spend_the_base_itself_acts(build, task, sampling, nothing):
    algorithm = build(nothing, sampling, task=task)
    batch = rows(algorithm, algorithm.env_runner.sample())
    assert np.array_equal(batch[Columns.ACTION_DIST_INPUTS], batch[POLICY_INPUTS][:, :4])
    assert not batch[Columns.OBS][:, -2:].any()
    result = [algorithm.train() for _ in range(2)][-1]["learners"][MODULE]
    assert result["max_log_ratio"] == 0.0
    assert result["kl_to_base"] == 0.0


def test_the_learner_refuses_what_lies_outside_the_limit_of_its_row(build, task, record):
    """A limit that another row would allow is not this row's."""
    algorithm = build(record, task=task)
    learner = algorithm.learner_group._learner
    (good,) = algorithm.env_runner.sample()
    flat = good.observations[:-1].reshape(-1, good.observations.shape[-1])
    row = int(good.rows()[np.argmax(flat[good.rows(), -2])])
    dims = slice(0, 4)
    moved = good.action_dist_inputs.reshape(-1, 4)[row]
    assert not np.array_equal(moved, good.policy_inputs.reshape(-1, 8)[row, dims])
    observations = good.observations.copy()
    observations[:-1].reshape(flat.shape)[row, -2] *= 0.5
    bad = dataclasses.replace(good, observations=observations)
    with pytest.raises(ArithmeticError, match="outside the limit of the constraint"):
        learner.update(training_data=TrainingData(episodes=[bad]), num_epochs=1)
    learner.update(training_data=TrainingData(episodes=[good]), num_epochs=1)


@pytest.mark.parametrize("sampling", ["arrays", "episodes"])
def test_a_charge_above_what_is_left_ends_the_sampling(build, monkeypatch, sampling):
    algorithm = build(CONSTRAINTS["all"], sampling)
    module = algorithm.env_runner.module
    exact = type(module).for_environment

    def inflated(self, out, action):
        sent = exact(self, out, action)
        sent[3, -1] = 2.4
        return sent

    monkeypatch.setattr(type(module), "for_environment", inflated)
    with pytest.raises((ArithmeticError, RuntimeError)) as error:
        algorithm.env_runner.sample()
    # RLlib's own runner wraps what an environment raises; ours says it as it is.
    raised = error.value if sampling == "arrays" else error.value.__cause__
    assert isinstance(raised, ArithmeticError)
    assert "overspent its budget" in str(raised)


def test_evaluation_and_episodes_by_number_have_budgets_too(build, task):
    record = CONSTRAINTS["all"]
    algorithm = build(record, task=task)
    algorithm.env_runner.sample()
    episodes = algorithm.env_runner.sample(num_episodes=20)
    assert all(episode.is_done for episode in episodes)
    steps, starts = replay(constraint_from_json(record), episodes, {}, False)
    assert starts == len(episodes) >= 20
    assert steps > 20


def test_a_constraint_given_after_validation_is_the_environment_s_too(configure):
    config = configure({"name": "pathwise_all", "log_budget": 4.0})
    config.validate()
    algorithm = config.training(constraint={"name": "pathwise_all", "log_budget": 1.0}).build_algo()
    try:
        (fragment,) = algorithm.env_runner.sample()
        assert fragment.observations[0, 0, -1] == 1.0
    finally:
        algorithm.stop()
