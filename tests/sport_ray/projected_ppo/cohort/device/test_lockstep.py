"""Cells in lockstep: alone but for last bits, failing alone, counted and checked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint, constraint_from_json
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays
from sport_ray.projected_ppo.cohort.device.plan import is_stateless
from sport_ray.projected_ppo.cohort.device.rollout import episode_seeds
from sport_ray.tensors.point_robot import PointRobot


def test_a_cell_does_not_notice_its_companions_but_for_rounding(cohort, one_cell, plan):
    mine = one_cell(seed=5, constraint=RatioConstraint(alpha=1.5))
    alone = cohort([mine], plan())
    others = [one_cell(seed=seed, lr=1e-2) for seed in range(3)]
    among = cohort([others[0], mine, *others[1:]], plan())
    alone.iterate()
    among.iterate()
    record, other = alone.rollout.record, among.rollout.record
    assert torch.equal(record.ends, other.ends[:, 2:4])
    assert torch.allclose(record.action, other.action[:, 2:4], atol=1e-6)
    assert torch.allclose(alone.actors.flat[0], among.actors.flat[1], rtol=1e-5, atol=1e-6)
    moved = (among.actors.flat[1] - among.actors.flat[0]).abs().max()
    assert moved > 1e-3
    alone.iterate()
    among.iterate()
    # Later steps of an episode differ by more: the robot's accelerometer amplifies last bits.
    assert torch.allclose(record.action[:2], other.action[:2, 2:4], atol=1e-5)


@pytest.mark.parametrize("where", ["actor", "critic", "environment"])
def test_a_cell_fails_alone(cohort, one_cell, plan, where):
    cells = [one_cell(seed=seed) for seed in range(3)]
    whole, broken = cohort(cells, plan()), cohort(cells, plan())
    for each in (whole, broken):
        each.iterate()
    if where == "actor":
        broken.actors.flat[1, 3] = torch.nan
    elif where == "critic":
        broken.learning.critics.flat[1, 3] = torch.inf
    else:
        broken.environment.robots.state[2, 0] = torch.nan
    before = broken.actors.flat[1].clone(), broken.learning.critics.flat[1].clone()
    for each in (whole, broken):
        each.iterate()
        each.iterate()
    assert not whole.errors()
    errors = broken.errors()
    assert set(errors) == {1}
    assert isinstance(errors[1], ArithmeticError)
    told = [one["num_env_steps_sampled_lifetime"] for one in broken.results()]
    assert told == [192, 128, 192]
    for cell in (0, 2):
        assert torch.equal(whole.actors.flat[cell], broken.actors.flat[cell])
    after = broken.actors.flat[1], broken.learning.critics.flat[1]
    for was, now in zip(before, after, strict=True):
        assert torch.equal(was.nan_to_num(7.0), now.nan_to_num(7.0))


def test_every_stored_ratio_is_within_its_cells_limit(cohort, one_cell, plan):
    alphas = [1.0, 1.02, 1.3, 4.0]
    cells = [one_cell(constraint=RatioConstraint(alpha=one), lr=1e-2) for one in alphas]
    together = cohort(cells, plan())
    for _ in range(3):
        together.iterate()
    laws = together.rollout.record.laws.double().numpy()
    ratio = max_log_ratio_arrays(
        *(np.ascontiguousarray(laws[..., 2 * i : 2 * i + 2]) for i in range(4))
    )
    limits = np.repeat(np.log(alphas), 2)
    assert (ratio <= limits).all()
    assert (ratio.max(axis=0)[2:] > 0.9 * limits[2:]).all()
    told = [one["max_log_ratio"] for one in together.results()]
    assert told == pytest.approx(ratio.reshape(32, 4, 2).max(axis=(0, 2)).tolist(), rel=1e-9)
    assert not together.errors()


def test_a_stored_ratio_above_its_limit_ends_the_cell(cohort, one_cell, plan):
    together = cohort([one_cell(seed=1), one_cell(seed=2)], plan())
    with torch.no_grad():
        together._feed.next()
        together.rollout.sample()
        law = together.rollout.record.laws[5, 3]
        law[0] = law[4] + 0.5 * law[6]  # the mean, half a std from the base's
        together._prepare()
        together.learning.update()
    assert set(together.errors()) == {1}
    assert "limit" in str(together.errors()[1])


def test_episodes_returns_and_violations_are_counted(cohort, one_cell, plan):
    together = cohort([one_cell(), one_cell(seed=2)], plan())
    totals = np.zeros((2, 3))
    length, paid = np.zeros(4), np.zeros(4)
    for _ in range(3):
        together.iterate()
        record = together.rollout.record
        finished = np.zeros((2, 3))
        for step in range(32):
            length += 1
            paid += record.reward[step].numpy()
            over = record.ends[step].numpy() != 0
            for slot in np.flatnonzero(over):
                finished[slot // 2] += 1, length[slot], paid[slot]
                length[slot] = paid[slot] = 0
        totals += finished
        told = together.results()
        for cell in range(2):
            ended = finished[cell, 0]
            assert told[cell]["episode_len_mean"] == pytest.approx(finished[cell, 1] / ended)
            assert told[cell]["episode_return_mean"] == pytest.approx(finished[cell, 2] / ended)
            assert told[cell]["num_episodes_lifetime"] == totals[cell, 0]


def test_random_layouts_and_noise_go_on_from_the_slots_own_seeds(cohort, one_cell, plan):
    kwargs = {"horizon": 7, "layout": "random", "actuation_noise": [0.1, 0.1]}
    mine = one_cell(seed=5)
    alone = cohort([mine], plan(env_kwargs=kwargs))
    among = cohort([one_cell(seed=4), mine], plan(env_kwargs=kwargs))
    assert not alone.environment.draws_nothing
    for each in (alone, among):
        each.iterate()
    first, second = alone.rollout.record, among.rollout.record
    assert torch.allclose(first.observation, second.observation[:, 2:], atol=1e-4)
    starts = first.observation[1:][first.ends[:-1] != 0]
    assert len(starts) > 4
    assert len(np.unique(starts.numpy()[:, 12:].round(4), axis=0)) == len(starts)


def test_episodes_are_cut_after_steps(cohort, one_cell, plan):
    together = cohort([one_cell()], plan(cut_after=3))
    together.iterate()
    ends = together.rollout.record.ends.numpy()
    assert (ends[2::3] != 0).all()
    assert (ends[2::3] == 2).any()


def test_episodes_end_by_the_property_as_the_robot_ends_them(cohort, one_cell, plan):
    """Started near the hazard, many do; what goes on has other episodes."""
    near = {"horizon": 20, "layout": "random", "start_bias": [0.0, 0.7, 0.0]}
    cells = [one_cell(), one_cell(seed=2, constraint=RatioConstraint(alpha=3.0))]
    through = {**near, "end_on_violation": False}
    native = cohort(cells, plan(env_kwargs=near))
    general = cohort(cells, plan(env_kwargs=through, ends_when_violated="(!hazard) U goal"))
    goes_on = cohort(cells, plan(env_kwargs=through))
    for _ in range(3):
        for each in (native, general, goes_on):
            each.iterate()
        for name in ("observation", "after", "reward", "ends", "action"):
            one, other = (getattr(each.rollout.record, name) for each in (native, general))
            assert torch.equal(one, other), name
    told = general.results()
    assert told == native.results()
    assert all(one["num_violating_episodes_lifetime"] > 1 for one in told)
    assert not torch.equal(goes_on.rollout.record.ends, general.rollout.record.ends)


def test_violations_are_counted_by_the_property_where_no_cost_is_told(
    cohort, one_cell, plan, monkeypatch
):
    near = {"horizon": 20, "layout": "random", "start_bias": [0.0, 0.7, 0.0]}
    monkeypatch.setattr(PointRobot, "cost_signal", None)
    silent = cohort([one_cell()], plan(env_kwargs=near))
    telling = cohort([one_cell()], plan(env_kwargs=near, ends_when_violated="G !hazard"))
    ends = 0
    for _ in range(3):
        silent.iterate(), telling.iterate()
        record = telling.rollout.record
        ends += int(((record.ends == 1) & (record.reward < 0.9)).sum())  # at the goal +1 is paid
    assert silent.results()[0]["num_violating_episodes_lifetime"] is None
    assert telling.results()[0]["num_violating_episodes_lifetime"] == ends > 2


def test_late_episodes_are_violations_too(cohort, one_cell, plan):
    """All that ended elsewhere than at the goal, where the goal pays 1; the hazard ends, too."""
    near = {"horizon": 14, "layout": "random", "start_bias": [0.0, 0.3, 0.0]}
    judged = cohort([one_cell()], plan(env_kwargs=near, judged=("(!hazard) U goal", 14)))
    entered = cohort([one_cell()], plan(env_kwargs=near))
    ended = at_goal = 0
    for _ in range(6):
        judged.iterate(), entered.iterate()
        record = judged.rollout.record
        ended += int((record.ends != 0).sum())
        at_goal += int(((record.ends == 1) & (record.reward >= 0.9)).sum())
    assert at_goal > 0
    counted, hazards = (
        one.results()[0]["num_violating_episodes_lifetime"] for one in (judged, entered)
    )
    assert counted == ended - at_goal > hazards


def test_seeds_of_episodes_are_their_own():
    seeds = torch.tensor([3, 4, 2**31 - 1])[:, None].expand(3, 500)
    found = episode_seeds(seeds.flatten(), torch.arange(1, 501).repeat(3))
    assert ((found >= 0) & (found < 2**31)).all()
    assert len(set(found.tolist())) == 1500
    assert (found.double().mean() / 2**30).item() == pytest.approx(1.0, abs=0.05)


def test_what_has_a_budget_has_no_form_on_a_device():
    assert is_stateless(constraint_from_json({"name": "violation_time", "alpha": 1.1}))
    assert is_stateless(constraint_from_json({"name": "unconstrained"}))
    assert not is_stateless(constraint_from_json({"name": "pathwise_all", "log_budget": 0.8}))
