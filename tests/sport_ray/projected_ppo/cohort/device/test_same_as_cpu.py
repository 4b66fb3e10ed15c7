"""A cohort in lockstep is the cohort that learns cell by cell: streams, batches, updates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.projected_ppo.cohort.device.batch import rllib_order
from sport_ray.projected_ppo.cohort.device.learning import STEP_METRICS
from sport_ray.projected_ppo.cohort.update import Learning, Schedule
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.minibatches import minibatches
from sport_ray.projected_ppo.streams import minibatch_generator, noise_generator

NEAR = {"rtol": 2e-4, "atol": 1e-6}
"""Sums of float32 numbers in another order, over some steps of Adam."""


def fragments(cohort, cell) -> list[Fragment]:
    """What a cell's copies did, each as NEXT_STEP environments tell it: resets take a step."""
    record, plan = cohort.rollout.record, cohort.plan
    numbers = record.laws.numpy()
    size = record.action.shape[-1]
    found = []
    for copy in range(plan.copies):
        slot = cell * plan.copies + copy
        rows = {name: [] for name in ("seen", "action", "laws", "reward", "ends", "taken")}

        def add(row, taken, seen, slot=slot, rows=rows):
            rows["seen"].append(seen)
            rows["action"].append(record.action[row, slot].numpy())
            rows["laws"].append(numbers[row, slot])
            rows["reward"].append(record.reward[row, slot].item() if taken else 0.0)
            rows["ends"].append(int(record.ends[row, slot]) if taken else 0)
            rows["taken"].append(taken)

        for row in range(plan.steps):
            add(row, True, record.observation[row, slot].numpy())
            if record.ends[row, slot] and row < plan.steps - 1:
                add(row, False, record.after[row, slot].numpy())
        last = record.after[plan.steps - 1, slot].numpy()
        laws, action = np.array(rows["laws"])[:, None], np.array(rows["action"])[:, None]
        ends = np.array(rows["ends"])[:, None]
        step = torch.from_numpy(laws[..., : 2 * size])
        law = torch.distributions.Normal(step[..., :size], step[..., size:])
        logp = law.log_prob(torch.from_numpy(action)).sum(-1).numpy()
        found.append(
            Fragment(
                observations=np.array([*rows["seen"], last])[:, None],
                actions=action,
                action_logp=logp,
                action_dist_inputs=laws[..., : 2 * size],
                policy_inputs=laws[..., 2 * size :],
                rewards=np.array(rows["reward"])[:, None],
                terminated=ends == 1,
                truncated=ends == 2,
                taken=np.array(rows["taken"])[:, None],
            )
        )
    return found


def sampled(cohort) -> None:
    """An iteration up to its batches."""
    with torch.no_grad():
        cohort._feed.next()
        cohort.rollout.sample()
        cohort._prepare()


@pytest.mark.parametrize("through", [False, True])
def test_one_update_is_that_of_a_cohort_on_a_cpu(cohort, one_cell, plan, through):
    cells = [
        one_cell(seed=1, constraint=RatioConstraint(alpha=1.01)),
        one_cell(seed=2, lr=3e-3, gamma=0.9, clip_param=0.05, grad_clip=None, vf_loss_coeff=1.0),
        one_cell(seed=3, constraint=Unconstrained(), entropy_coeff=0.1, lambda_=0.5),
        one_cell(seed=4, warmup_env_steps=10_000),
    ]
    shared = plan(copies=1, steps=64, through_projection=through)
    together = cohort(cells, shared)
    apart = Learning(cells, cells[0].start.spec, Schedule(20, 2, True, through))
    begun = apart.actors.flat.clone()
    assert torch.equal(apart.actors.flat, together.actors.flat)
    assert torch.equal(apart.critics.flat, together.learning.critics.flat)

    sampled(together)
    own = [fragments(together, cell) for cell in range(len(cells))]
    together.learning.update()
    told = together.results()
    assert not together.errors()
    for cell, parts in enumerate(own):
        expected = apart.update(cell, parts, 64)
        for name, value in expected.items():
            if name == "clip_fraction":  # a share of few rows
                assert told[cell][name] == pytest.approx(value, abs=0.02)
            else:
                assert told[cell][name] == pytest.approx(value, rel=2e-3, abs=1e-5), name
    for got, expected in (
        (together.actors.flat, apart.actors.flat),
        (together.learning.critics.flat, apart.critics.flat),
    ):
        assert torch.allclose(got, expected, **NEAR)
    assert torch.equal(together.actors.flat[3], begun[3])  # it warms up
    assert (together.actors.flat[:3] - begun[:3]).abs().amax(1).min() > 1e-3


def test_batches_have_the_rows_and_numbers_of_fragments(cohort, one_cell, plan):
    together = cohort([one_cell()], plan(copies=1, steps=48))
    sampled(together)
    (fragment,) = fragments(together, 0)
    assert fragment.taken.sum() == 48
    assert fragment.terminated.any() or fragment.truncated.any()
    rows = fragment.rows()
    whole = together.learning.batches.whole[0].numpy()
    assert np.array_equal(whole[:, 44:46], fragment.actions.reshape(-1, 2)[rows])
    assert np.allclose(whole[:, 46], fragment.action_logp.ravel()[rows], atol=1e-5)
    assert whole[:, 47].mean() == pytest.approx(0.0, abs=1e-6)
    assert whole[:, 47].std() == pytest.approx(1.0, abs=1e-5)


def test_rows_of_copies_are_in_the_order_of_fragments():
    rng = np.random.default_rng(0)
    ends = rng.choice(3, size=(17, 2, 5), p=[0.8, 0.1, 0.1])
    none = np.zeros((17, 5))
    order = rllib_order(torch.from_numpy(ends))
    for cell in range(2):
        fragment = Fragment(
            none, none, none, none, None, none,
            ends[:, cell] == 1, ends[:, cell] == 2, np.ones((17, 5), dtype=bool),
        )  # fmt: skip
        assert np.array_equal(order[cell].numpy(), fragment.rows())


def test_minibatches_are_cut_by_the_cells_own_permutations(cohort, one_cell, plan):
    cells = [one_cell(seed=8), one_cell(seed=9)]
    together = cohort(cells, plan())
    generators = [minibatch_generator(cell.seed) for cell in cells]
    for _ in range(2):
        sampled(together)
        for cell, generator in enumerate(generators):
            expected = minibatches(64, 20, 2, generator)
            assert np.array_equal(together._feed.rows[:, cell].numpy(), expected)


def test_actions_are_drawn_from_the_cells_own_streams(cohort, one_cell, plan):
    cells = [one_cell(seed=8), one_cell(seed=9)]
    together = cohort(cells, plan())
    sampled(together)
    record = together.rollout.record
    for cell, own in enumerate(cells):
        slots = slice(2 * cell, 2 * cell + 2)
        noise = noise_generator(own.seed, 0).standard_normal((32, 2, 2))
        mean, std = record.laws[:, slots, :2].double(), record.laws[:, slots, 2:4].double()
        expected = (mean + std * torch.from_numpy(noise)).float()
        assert torch.equal(record.action[:, slots], expected)


def test_names_of_metrics_are_those_of_a_cohort_on_a_cpu(cohort, one_cell, plan):
    together = cohort([one_cell()], plan())
    together.iterate()
    (told,) = together.results()
    assert set(STEP_METRICS) <= set(told)
    assert told["num_env_steps_sampled_lifetime"] == 64
    ends = together.rollout.record.ends != 0
    assert told["num_episodes_lifetime"] == int(ends.sum())
