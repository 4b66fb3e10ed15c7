"""A cohort is the single algorithm, cell by cell: the same steps, and updates but for rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

FIELDS = (
    "observations",
    "actions",
    "action_logp",
    "action_dist_inputs",
    "policy_inputs",
    "rewards",
    "terminated",
    "truncated",
    "taken",
)
PLAIN = ["ratio", "gauss_renyi", "violation_time", "unconstrained"]
BUDGETS = ["mean_shift", "pathwise", "pathwise_all"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def assert_same_steps(fragment, single) -> None:
    for name in FIELDS:
        got, expected = getattr(fragment, name), getattr(single, name)
        if expected is None:
            assert got is None, name
        else:
            assert got.dtype == expected.dtype, name
            assert np.array_equal(got, expected), name


def weights(network) -> np.ndarray:
    return np.concatenate([value.numpy().ravel() for value in network.state_dict().values()])


def critic_of(algorithm) -> np.ndarray:
    state = algorithm.learner_group.get_weights()["default_policy"]
    return np.concatenate(
        [np.ravel(value) for name, value in state.items() if name.startswith("critic")]
    )


def critic_in(cohort, index, like) -> np.ndarray:
    cohort.learner_group._learner.learning.critics.take(index, like)
    return weights(like)


def new_critic(cohort):
    from sport_ray.policies.network import mlp

    learning = cohort.learner_group._learner.learning
    return mlp(learning.critics.sizes, learning.spec.activation)


def far(got, expected, start) -> float:
    """Length of the difference, in lengths of what was learned."""
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected - start))


@pytest.mark.parametrize("kinds", [PLAIN, BUDGETS], ids=["plain", "budgets"])
@pytest.mark.parametrize("gradient", ["paper", "through_projection"])
def test_first_batch_to_the_bit_and_first_update_but_for_rounding(
    build, cell, elsewhere, kinds, gradient
):
    """Of every kind of constraint, all of them in one cohort, each cell with its own seed."""
    options = {"gradient": gradient, "entropy_coeff": 0.01}
    if gradient == "through_projection":
        # At the base itself every std stands at a kink of the projection, where rounding decides.
        options["task"] = elsewhere
    configs = [cell(seed, kind, **options) for seed, kind in enumerate(kinds)]
    sampled = build(configs).env_runner.sample()
    cohort = build(configs)
    result = cohort.train()
    for index, config in enumerate(configs):
        single = build(config)
        assert_same_steps(sampled.fragments[index], single.env_runner.sample()[0])
        single = build(config)
        start = weights(single.task_policy())
        first = critic_of(single)
        expected = single.train()
        assert far(weights(cohort.policy(index)), weights(single.task_policy()), start) < 1e-3
        critic = critic_in(cohort, index, new_critic(cohort))
        assert far(critic, critic_of(single), first) < 1e-3
        compare(result["cells"][index], expected)


def compare(cell, single) -> None:
    """The cell's metrics are those of the single algorithm's results."""
    learner = single["learners"]["default_policy"]
    exact = [
        "num_env_steps_sampled_lifetime",
        "num_episodes_lifetime",
        "num_violating_episodes_lifetime",
    ]
    for name in exact:
        assert cell[name] == single["env_runners"][name], name
    for name in ("episode_return_mean", "episode_len_mean"):
        assert cell[name] == pytest.approx(float(single["env_runners"][name]), rel=1e-12), name
    learned = [
        "policy_loss",
        "vf_loss",
        "entropy",
        "clip_fraction",
        "gradients_actor_global_norm",
        "gradients_critic_global_norm",
    ]
    sampled = ["max_log_ratio", "mean_log_ratio", "kl_to_base", "projected_share", "task_distance"]
    for name in (*learned, *(sampled if "max_log_ratio" in learner else [])):
        expected = float(learner[name])
        assert cell[name] == pytest.approx(expected, rel=1e-3, abs=1e-5), name
    assert ("max_log_ratio" in cell) == ("max_log_ratio" in learner)


@pytest.mark.parametrize("copies", [1, 5])
def test_warm_up_is_the_same_for_many_iterations(build, cell, copies):
    """The policy stands still, so every batch is the same, and only the critic's rounding grows."""
    configs = [cell(seed, copies=copies, warmup_env_steps=220) for seed in (3, 4)]
    cohort = build(configs)
    results = [cohort.train() for _ in range(4)]  # the fourth learns
    for index, config in enumerate(configs):
        single = build(config)
        start, first = weights(single.task_policy()), critic_of(single)
        expected = [single.train() for _ in range(3)]
        for got, one in zip(results, expected, strict=False):
            counted = got["cells"][index]["episode_return_mean"]
            assert counted == pytest.approx(one["env_runners"]["episode_return_mean"], rel=1e-12)
        assert np.array_equal(weights(single.task_policy()), start)
        single.train()
        assert far(weights(cohort.policy(index)), weights(single.task_policy()), start) < 1e-3
        critic = critic_in(cohort, index, new_critic(cohort))
        assert far(critic, critic_of(single), first) < 1e-3


@pytest.mark.parametrize("kind", ["ratio", "pathwise_all"])
def test_episodes_end_by_the_property_as_in_the_single_algorithm(build, cell, kind):
    """Started near the hazard; from outside to the numbers of the robot's own ends."""
    near = {"horizon": 20, "layout": "random", "start_bias": [0.0, 0.7, 0.0]}
    through = {**near, "end_on_violation": False}
    options = {"copies": 5, "train_batch_size": 320}
    general = [
        cell(seed, kind, kwargs=through, ends_when_violated="(!hazard) U goal", **options)
        for seed in (3, 4)
    ]
    native = [cell(seed, kind, kwargs=near, **options) for seed in (3, 4)]
    sampled = build(general).env_runner.sample()
    cohort = build(general)
    result, by_itself = cohort.train(), build(native).train()
    assert result["cells"] == by_itself["cells"]
    for index, config in enumerate(general):
        assert_same_steps(sampled.fragments[index], build(config).env_runner.sample()[0])
        expected = build(config).train()
        compare(result["cells"][index], expected)
        assert expected["env_runners"]["num_violating_episodes_lifetime"] > 1


def test_whole_batches_and_no_minibatches(build, cell):
    config = cell(5, minibatch_size=None, num_epochs=3)
    cohort, single = build([config]), build(config)
    start = weights(single.task_policy())
    cohort.train()
    single.train()
    assert far(weights(cohort.policy(0)), weights(single.task_policy()), start) < 1e-3


@pytest.mark.parametrize("head", ["clamped", "constant"])
@pytest.mark.parametrize("activation", ["tanh", "silu", "elu", "leaky_relu", "sigmoid"])
def test_every_architecture(build, cell, point_robot_spec, head, activation):
    from sport_ray.policies import PolicyNetwork
    from sport_ray.policies.observations import Normalization

    spec = point_robot_spec.model_copy(
        update={
            "std_head": head,
            "activation": activation,
            "normalization": Normalization(mean=(0.1,) * 40, scale=(2.0,) * 40, clip=3.0),
        }
    )
    config = cell(6, "pathwise", base=PolicyNetwork(spec))
    cohort, single = build([config]), build(config)
    assert_same_steps(cohort.env_runner.sample().fragments[0], build(config).env_runner.sample()[0])
    cohort = build([config])
    start = weights(single.task_policy())
    cohort.train()
    single.train()
    assert far(weights(cohort.policy(0)), weights(single.task_policy()), start) < 1e-3


def test_remote_runners_take_the_steps_of_the_single_ones(build, cell):
    """One algorithm at a time: there are two CPUs."""
    configs = [cell(seed, runners=2) for seed in (1, 2)]
    cohort = build(configs)
    result = cohort.train()
    fingerprint = cohort.base_fingerprint()
    cohort.stop()
    for index, config in enumerate(configs):
        single = build(config)
        start = weights(single.task_policy())
        expected = single.train()
        assert single.base_fingerprint() == fingerprint
        assert far(weights(cohort.policy(index)), weights(single.task_policy()), start) < 1e-3
        single.stop()
        got = result["cells"][index]
        for name in ("num_env_steps_sampled_lifetime", "num_episodes_lifetime"):
            assert got[name] == expected["env_runners"][name]


def test_the_base_and_the_starts_are_left_alone(build, cell, small_base):
    before = {name: value.clone() for name, value in small_base.state_dict().items()}
    cohort = build([cell(1), cell(2)])
    print_before = cohort.base_fingerprint()
    cohort.train()
    assert cohort.base_fingerprint() == print_before
    for name, value in small_base.state_dict().items():
        assert torch.equal(value, before[name])
    assert not np.array_equal(weights(cohort.policy(0)), weights(small_base))
