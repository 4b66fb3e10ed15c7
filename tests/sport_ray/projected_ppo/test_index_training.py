"""Projected PPO over the index end to end on the point robot: bounds kept, something learned."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData

from sport_ray.constraints import RatioConstraint, constraint_from_json
from sport_ray.errors import UserError
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.families import Categorical
from sport_ray.policies import FrozenPolicy, PolicyFile, policy_digest
from sport_ray.projected_ppo import IndexPPOConfig
from sport_ray.projected_ppo.candidate_environment import CandidateVectorEnv
from sport_ray.projected_ppo.environment import TrainingEnvironment
from sport_ray.rollouts import ScenarioPlan, run_scenarios
from sport_ray.rollouts.behaviour import Draws
from sport_ray.samplers import PolicySampler, SamplerFile, SamplerSpec, base_digest, read_base
from sport_ray.selection import SelectionBehaviour
from sport_ray.selection.scores.preference import PreferenceNetwork, PreferenceSpec

ENV = "sport_ray/PointReachAvoid-v0"
MODULE = "default_policy"
M, ALPHA = 8, 1.2
BUDGET = {"name": "pathwise_all", "log_budget": 2.3}
GRADIENTS = ["paper", "through_projection"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def leaning(observation: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """A base that has no density that anybody computes: a mixture, clipped."""
    centre = np.where(generator.random((count, 1)) < 0.5, -0.3, 0.6)
    return np.clip(centre + 0.3 * generator.standard_normal((count, 2)), -1.0, 1.0)


def config(base, *, constraint=None, seed=3, runners=0, warmup=0, **training) -> IndexPPOConfig:
    file = base if isinstance(base, tuple) else PolicyFile(base, policy_digest(base), {})
    found = IndexPPOConfig().environment(ENV, env_config={"horizon": 20, "end_on_violation": False})
    found.env_runners(num_env_runners=runners, num_envs_per_env_runner=8).choosing(
        file, candidates=M
    )
    found.training(
        constraint=constraint or {"name": "ratio", "alpha": ALPHA},
        warmup_env_steps=warmup,
        lr=1e-2,
        train_batch_size=320,
        minibatch_size=80,
    ).training(**training)
    return found.debugging(seed=seed, log_level="ERROR")


@pytest.fixture
def build():
    built = []

    def make(*args, **kwargs):
        built.append(config(*args, **kwargs).build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()


def weights(algorithm) -> np.ndarray:
    arrays = algorithm.selector().score.arrays()
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)])


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("runners", [0, 2])
def test_every_step_of_training_is_within_alpha(build, small_base, gradient, runners):
    algorithm = build(small_base, gradient=gradient, runners=runners)
    before = weights(algorithm)
    for _ in range(4):
        learner = algorithm.train()["learners"][MODULE]
        assert learner["max_log_ratio"] <= math.log(ALPHA)
    assert learner["max_log_ratio"] > 0.9 * math.log(ALPHA)
    assert 0.0 < learner["projected_share"] <= 1.0
    for name in ("clip_fraction", "mean_log_ratio", "kl_to_base", "task_distance", "entropy"):
        assert np.isfinite(learner[name]), name
    assert not np.array_equal(weights(algorithm), before)
    if not runners:
        (sample,) = algorithm.env_runner.sample()
        units = sample.action_dist_inputs * 2.0**52
        assert (units == np.floor(units)).all()
        assert (units.sum(-1) == 2.0**52).all()
        assert (units * M <= ALPHA * 2.0**52).all()


def test_the_learner_refuses_a_probability_above_the_limit(build, small_base):
    algorithm = build(small_base)
    algorithm.train()
    learner = algorithm.learner_group._learner
    (good,) = algorithm.env_runner.sample()
    inputs = good.action_dist_inputs.copy()
    row = inputs[good.taken][np.argmax(inputs[good.taken].max(-1))]
    place = np.argwhere((inputs == row).all(-1) & good.taken)[0]
    second, most = np.argsort(row)[-2:]
    assert row[most] > 0.999 * ALPHA / M  # at its limit
    inputs[(*place, most)] += 2.0**-40
    inputs[(*place, second)] -= 2.0**-40
    bad = dataclasses.replace(good, action_dist_inputs=inputs)
    with pytest.raises(ArithmeticError, match="outside the limit of the constraint"):
        learner.update(training_data=TrainingData(episodes=[bad]), num_epochs=1)
    learner.update(training_data=TrainingData(episodes=[good]), num_epochs=1)


def test_before_it_learns_the_base_itself_acts(build, small_base):
    algorithm = build(small_base, warmup=10_000)
    before = weights(algorithm)
    losses = []
    for _ in range(6):
        learner = algorithm.train()["learners"][MODULE]
        losses.append(float(learner["vf_loss"]))
        assert learner["max_log_ratio"] == learner["kl_to_base"] == 0.0
    assert np.array_equal(weights(algorithm), before)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_the_same_seed_gives_the_same_weights(small_base, gradient):
    def trained(seed: int) -> np.ndarray:
        algorithm = config(small_base, gradient=gradient, seed=seed).build_algo()
        try:
            for _ in range(2):
                algorithm.train()
            return weights(algorithm)
        finally:
            algorithm.stop()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        first = trained(3)
        assert np.array_equal(trained(3), first)
        assert not np.array_equal(trained(4), first)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("record", [{"name": "ratio", "alpha": ALPHA}, BUDGET])
def test_the_selector_acts_as_the_module_did(build, small_base, record):
    """Float32 in training, float64 in rollouts: the same law within 1e-5 of the base's."""
    algorithm, constraint = build(small_base, constraint=record), constraint_from_json(record)
    for _ in range(4):
        algorithm.train()
    sampler = PolicySampler(FrozenPolicy(small_base))
    behaviour = SelectionBehaviour(sampler, algorithm.selector(), constraint)
    env = TrainingEnvironment({**algorithm.config.env_config, "num_envs": 64})
    layer = env
    while not isinstance(layer, CandidateVectorEnv):
        layer = layer.env
    seen, _ = env.reset(seed=1)
    state = constraint.start(64)
    for _ in range(5):
        seen_by_module = torch.from_numpy(np.float32(seen))
        out = algorithm.env_runner.module.act(seen_by_module)
        trained = Categorical.from_parameters(out[Columns.ACTION_DIST_INPUTS])
        draws = Draws(np.zeros((64, 1)), layer._candidates)
        step = behaviour.step(seen[:, :44], state, draws, np.zeros(64, int))
        base = Categorical.uniform(1, M)
        assert step.chosen.agrees(trained, base).all()
        assert step.max_log_ratio.max() > 0.5 * math.log(ALPHA)  # not the base itself
        index = step.chosen.sample(np.random.default_rng(0).random((64, 1)))
        cost = constraint.cost(step.chosen, base, index)
        given = index if not constraint.state_size else np.column_stack([index, cost])
        seen = env.step(given)[0]
        state = behaviour.spend(state, step, index)
        if constraint.state_size:
            # The environment charges in float32, a little more; the limits stay as near.
            np.testing.assert_allclose(seen[:, -1], state[:, 0], rtol=1e-5, atol=1e-6)
            state[:, 0] = seen[:, -1]


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_under_a_budget_every_path_keeps_to_it_and_the_limit_is_seen(build, small_base, gradient):
    algorithm = build(small_base, constraint=BUDGET, gradient=gradient)
    for _ in range(4):
        learner = algorithm.train()["learners"][MODULE]
    assert learner["max_log_ratio"] > 0.0
    selector = algorithm.selector()
    assert selector.score.network.spec.limit_scale == pytest.approx(2.3, abs=1e-5)
    behaviour = SelectionBehaviour(
        PolicySampler(FrozenPolicy(small_base)), selector, constraint_from_json(BUDGET)
    )
    table = run_scenarios(plan_of(20), behaviour, 0, 200)
    assert 0.0 < table.max_prefix_log_ratio.max() <= 2.3


def test_any_base_that_can_be_sampled(build):
    entry = f"{leaning.__module__}:leaning"
    spec = SamplerSpec(entry=entry, observation_size=44, action_size=2)
    algorithm = build(SamplerFile(spec, base_digest(spec), {}))
    for _ in range(3):
        learner = algorithm.train()["learners"][MODULE]
    assert 0.0 < learner["max_log_ratio"] <= math.log(ALPHA)


def plan_of(horizon) -> ScenarioPlan:
    return ScenarioPlan(
        env_id=ENV,
        env_kwargs={"layout": "fixed", "end_on_violation": False},
        property="(!hazard) U goal",
        horizon=horizon,
        root_seed=5,
        purpose="evaluate",
        environment_horizon=100,
    )


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_short_training_saves_steps(gradient):
    """The shipped base, α of ε_max = 0.1 at T = 21, 25,000 steps.

    Steps to the goal over 1,500 scenarios, against the same scenarios under α = 1, which is the
    base: 4 standard errors apart.
    """
    base = read_base(BUNDLED / "point_reach_avoid")
    alpha = 1.0845
    found = (
        IndexPPOConfig()
        .environment(ENV, env_config={"horizon": 21, "reward": "task", "end_on_violation": False})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=32)
    )
    found.choosing(base, candidates=16).training(
        alpha=alpha,
        gradient=gradient,
        lr=1e-3,
        critic_lr=1e-3,
        train_batch_size=2048,
        minibatch_size=256,
        warmup_env_steps=2_500,
    ).debugging(seed=0, log_level="ERROR")
    algorithm = found.build_algo()
    try:
        steps = 0
        while steps < 25_000:
            result = algorithm.train()
            steps = int(result["env_runners"]["num_env_steps_sampled_lifetime"])
        selector = algorithm.selector()
    finally:
        algorithm.stop()
    sampler = PolicySampler(FrozenPolicy(base.network))
    lengths = [
        run_scenarios(
            plan_of(21), SelectionBehaviour(sampler, selector, RatioConstraint(a)), 0, 1_500
        ).length
        for a in (1.0, alpha)
    ]
    errors = math.hypot(*(x.std() / math.sqrt(len(x)) for x in lengths))
    assert lengths[0].mean() - lengths[1].mean() > 4.0 * errors


# What cannot be configured.


def test_rllib_s_own_sampling_is_refused(small_base):
    with pytest.raises(UserError, match="leave sampling='arrays'"):
        config(small_base, sampling="episodes").validate()


@pytest.mark.parametrize("count", [1, 5_000])
def test_one_candidate_is_no_choice(small_base, count):
    with pytest.raises(UserError, match=rf"candidates must lie in 2 … 4096, got {count}"):
        config(small_base).choosing(candidates=count).validate()


def test_something_to_choose_among_is_needed():
    with pytest.raises(UserError, match=r"no base policy: call \.choosing"):
        IndexPPOConfig().environment(ENV).training(alpha=1.2).validate()


def test_mean_actions_are_refused(small_base):
    with pytest.raises(UserError, match="leave explore=True"):
        config(small_base).env_runners(explore=False).validate()


@pytest.mark.parametrize("name", ["gauss_renyi", "mean_shift"])
def test_a_constraint_whose_theorem_needs_gaussians_is_refused(small_base, name):
    record = {"name": name, **({"alpha": 1.2} if name == "gauss_renyi" else {"mu": 1.0})}
    with pytest.raises(UserError, match=name):
        config(small_base, constraint=record).validate()


def test_a_preference_of_another_base_is_refused(small_base):
    start = PreferenceNetwork(PreferenceSpec(observation_size=3, action_size=2))
    with pytest.raises(UserError, match="is for 3 observations and 2 actions"):
        config(small_base).choosing(start=start).first_preference()


def test_training_goes_on_from_a_given_preference(build, small_base):
    first = build(small_base)
    first.train()
    start = first.selector().score.network
    going_on = config(small_base).choosing(start=start).build_algo()
    try:
        arrays = going_on.selector().score.arrays()
        for name, value in first.selector().score.arrays().items():
            np.testing.assert_array_equal(arrays[name], value)
    finally:
        going_on.stop()
