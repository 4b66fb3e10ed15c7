"""Sampling and learning on arrays is the plain path: the same rows, targets, steps and counts."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.training_data import TrainingData
from ray.rllib.evaluation.postprocessing import Postprocessing

from sport_ray.constraints import Unconstrained
from sport_ray.errors import UserError
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.module import POLICY_INPUTS

ENV = "sport_ray/PointReachAvoid-v0"
MODULE = "default_policy"
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


@pytest.fixture
def build(small_base):
    """Algorithms on an environment with terminations, truncations and random layouts."""
    built = []

    def make(sampling, constraint=None, **training):
        config = (
            ProjectedPPOConfig()
            .environment(ENV, env_config={"horizon": 7, "layout": "random"})
            .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
            .training(
                base=small_base,
                sampling=sampling,
                warmup_env_steps=0,
                train_batch_size=320,
                minibatch_size=80,
                lr=1e-3,
            )
            .training(**({"alpha": 1.2} if constraint is None else {"constraint": constraint}))
            .training(**training)
            .debugging(seed=11, log_level="ERROR")
        )
        built.append(config.build_algo())
        return built[-1]

    yield make
    for algorithm in built:
        algorithm.stop()


def learner_of(algorithm):
    return algorithm.learner_group._learner


def rows(algorithm, samples) -> dict[str, np.ndarray]:
    """The learner's batch without the rows that the loss does not count."""
    batch = learner_of(algorithm)._make_batch_if_necessary(TrainingData(episodes=samples))
    columns = dict(batch.policy_batches[MODULE])
    mask = columns.get(Columns.LOSS_MASK, slice(None))
    return {name: column[mask].numpy() for name, column in columns.items()}


def test_both_ways_sample_the_same_rows_to_the_bit(build):
    """And again in the second fragment, where episodes go on; targets agree to float32."""

    def sample_twice(sampling):
        algorithm = build(sampling)
        samples, counts = [], []
        for _ in range(2):
            samples.append(algorithm.env_runner.sample())
            metrics = algorithm.env_runner.get_metrics()
            counts.append({k: v.peek() for k, v in metrics.items() if hasattr(v, "peek")})
        # After the counts: the learner lengthens RLlib's episodes by their phantom steps.
        return [rows(algorithm, sample) for sample in samples], counts

    plain, plain_counts = sample_twice("episodes")
    fast, fast_counts = sample_twice("arrays")
    for expected, got in zip(plain, fast, strict=True):
        for name in (
            Columns.OBS,
            Columns.ACTIONS,
            Columns.ACTION_LOGP,
            Columns.ACTION_DIST_INPUTS,
            POLICY_INPUTS,
        ):
            assert np.array_equal(expected[name], got[name]), name
        targets = Postprocessing.VALUE_TARGETS
        np.testing.assert_allclose(got[targets], expected[targets], rtol=1e-5, atol=1e-5)
        advantages = got[Postprocessing.ADVANTAGES]
        np.testing.assert_allclose(
            advantages, expected[Postprocessing.ADVANTAGES], rtol=1e-4, atol=1e-4
        )
        assert abs(advantages.mean()) < 1e-6
        assert abs(advantages.std() - 1.0) < 1e-6
    for expected, got in zip(plain_counts, fast_counts, strict=True):
        assert expected["num_episodes"] > 20
        counted = [k for k in expected if k.startswith(("num_", "episode_"))]
        for name in set(counted) - {"episode_duration_sec_mean"}:
            assert got[name] == pytest.approx(expected[name], rel=1e-12), name
        assert got["episode_duration_sec_mean"] > 0.0


def test_training_under_warm_up_sees_the_same_episodes(build):
    """The policy stays what it is, so every batch is the same, and so is what is counted."""

    def trained(sampling):
        algorithm = build(sampling, warmup_env_steps=10_000)
        results = [algorithm.train() for _ in range(4)]
        names = (
            "num_env_steps_sampled_lifetime",
            "num_episodes_lifetime",
            "num_violating_episodes_lifetime",
            "episode_return_mean",
            "episode_return_min",
            "episode_return_max",
        )
        counts = [[float(r["env_runners"][name]) for name in names] for r in results]
        return counts, [float(r["learners"][MODULE]["kl_to_base"]) for r in results]

    plain, fast = trained("episodes"), trained("arrays")
    np.testing.assert_allclose(fast[0], plain[0], rtol=1e-12)
    assert plain[0][-1][2] > 0
    assert fast[1] == plain[1]
    assert max(fast[1]) < 1e-9  # nats: the actor runs in float32, the base in float64


@pytest.mark.parametrize("gradient", ["paper", "through_projection"])
def test_a_full_batch_update_is_the_same(build, gradient):
    """Whole batches in place of minibatches, which RLlib fills up with rows that do not count."""

    def trained(sampling):
        algorithm = build(sampling, minibatch_size=None, num_epochs=3, gradient=gradient)
        before = algorithm.learner_group.get_weights()[MODULE]
        result = algorithm.train()["learners"][MODULE]
        after = algorithm.learner_group.get_weights()[MODULE]
        change = np.concatenate([np.ravel(after[k] - before[k]) for k in sorted(after)])
        return change, result

    plain, plain_result = trained("episodes")
    fast, fast_result = trained("arrays")
    # Adam's step has the size of the learning rate even where the gradient is mere rounding.
    assert np.linalg.norm(fast - plain) < 0.01 * np.linalg.norm(plain)
    for name in ("max_log_ratio", "mean_log_ratio", "kl_to_base", "task_distance"):
        assert float(fast_result[name]) == pytest.approx(float(plain_result[name]), rel=1e-6)
    for name in ("vf_loss", "policy_loss", "entropy", "clip_fraction"):
        expected = float(plain_result[name])
        assert float(fast_result[name]) == pytest.approx(expected, rel=1e-3, abs=1e-4), name


def test_fragments_continue_where_the_last_one_ended(build):
    runner = build("arrays").env_runner
    fragments = [runner.sample()[0] for _ in range(12)]
    cut_at_an_end = 0
    for first, second in pairwise(fragments):
        assert isinstance(first, Fragment)
        assert 320 <= len(first) < 328
        assert np.array_equal(first.observations[-1], second.observations[0])
        ends = first.terminated | first.truncated
        assert np.array_equal(second.taken[0], ~ends[-1])
        assert np.array_equal(first.taken[1:], ~ends[:-1])
        cut_at_an_end += int(ends[-1].sum())
    assert cut_at_an_end > 0
    second = fragments[-1]
    (third,) = runner.sample(force_reset=True)
    assert third.taken[0].all()
    assert not np.array_equal(second.observations[-1], third.observations[0])


def test_a_failed_environment_starts_the_fragment_afresh(build, monkeypatch):
    runner = build("arrays").env_runner
    runner.sample()
    runner.config.restart_failed_sub_environments = True
    failing = runner.env.unwrapped
    steps, step = [], failing.step

    def fails_once(actions):
        steps.append(actions)
        if len(steps) == 5:
            raise RuntimeError("lost")
        return step(actions)

    monkeypatch.setattr(failing, "step", fails_once)
    (fragment,) = runner.sample()
    assert len(steps) == 5
    assert runner.env.unwrapped is not failing
    assert fragment.taken[0].all()
    assert 320 <= len(fragment) < 328
    assert len(fragment.observations) == len(fragment.actions) + 1


def test_episodes_by_number_are_rllibs_and_arrays_start_afresh_after_them(build):
    runner = build("arrays").env_runner
    runner.sample()
    episodes = runner.sample(num_episodes=8)
    assert all(episode.is_done and len(episode) <= 7 for episode in episodes)
    (fragment,) = runner.sample()
    assert fragment.taken[0].all()
    assert runner.get_metrics()["num_episodes"].peek() >= 8 + fragment.terminated.sum()


@pytest.mark.parametrize("constraint", [None, Unconstrained()])
@pytest.mark.parametrize("which", ["observation", "reward"])
def test_numbers_that_are_not_finite_stop_the_training(build, monkeypatch, constraint, which):
    algorithm = build("arrays", constraint)
    algorithm.train()
    inner = algorithm.env_runner.env.unwrapped
    step = inner.step

    def broken(actions):
        observation, reward, terminated, truncated, infos = step(actions)
        if which == "observation":
            observation[3, 5] = np.nan
        else:
            reward[3] = np.nan
        return observation, reward, terminated, truncated, infos

    monkeypatch.setattr(inner, "step", broken)
    with pytest.raises(UserError, match=f"environment 3 returned the {which} nan"):
        algorithm.train()


def test_every_row_used_is_checked(build):
    """One density ratio out of bounds, in whatever row, and nothing is learned from the batch."""
    algorithm = build("arrays")
    learner = learner_of(algorithm)
    (good,) = algorithm.env_runner.sample()
    before = {k: v.copy() for k, v in algorithm.learner_group.get_weights()[MODULE].items()}
    for row in (good.rows()[0], good.rows()[150], good.rows()[-1]):
        inputs = good.action_dist_inputs.copy()
        inputs.reshape(-1, 4)[row, 2:] *= 1.5  # a std above the base's: infinite ratio
        bad = dataclasses.replace(good, action_dist_inputs=inputs)
        with pytest.raises(ArithmeticError, match="log ratio inf nats"):
            learner.update(training_data=TrainingData(episodes=[bad]), num_epochs=1)
    after = algorithm.learner_group.get_weights()[MODULE]
    assert all(np.array_equal(before[name], after[name]) for name in before)
    learner.update(training_data=TrainingData(episodes=[good]), num_epochs=1)


def test_a_stored_number_that_is_not_finite_is_refused(build):
    algorithm = build("arrays")
    (good,) = algorithm.env_runner.sample()
    logp = good.action_logp.copy()
    logp.ravel()[good.rows()[7]] = np.nan
    bad = dataclasses.replace(good, action_logp=logp)
    with pytest.raises(ArithmeticError, match="action_logp"):
        learner_of(algorithm).update(training_data=TrainingData(episodes=[bad]), num_epochs=1)


@pytest.mark.parametrize("sampling", ["arrays", "episodes"])
@pytest.mark.parametrize("network", ["actor", "critic"])
def test_a_gradient_that_is_not_finite_stops_the_training(build, sampling, network):
    algorithm = build(sampling)
    module = learner_of(algorithm).module[MODULE]
    parameter = next(getattr(module, network).parameters())
    parameter.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(ArithmeticError, match=rf"gradient of \S*{network} is not finite"):
        algorithm.train()
    weights = algorithm.learner_group.get_weights()[MODULE]
    assert all(np.isfinite(value).all() for value in weights.values())


def test_other_ways_to_reset_are_refused(build):
    runner = build("arrays").env_runner
    environment = runner.config.env

    def same_step(context):
        vector = environment(context)
        vector.unwrapped.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        return vector

    runner.config.env = same_step
    with pytest.raises(UserError, match="SAME_STEP"):
        runner.make_env()
