"""The RLModule of categorical policies: what acts is projected, what is learned is a softmax."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from sport_ray.families import categorical_over
from sport_ray.policies import FrozenPolicy
from sport_ray.policies.store import network_to_bytes
from sport_ray.projected_ppo.checks import checked
from sport_ray.projected_ppo.distribution import learned_actions
from sport_ray.projected_ppo.module import POLICY_INPUTS, ProjectedPPOModule
from tests.exact_discrete import random_table, table_policy

STATES, ALPHA = 6, 1.3
SIZES = [(4,), (3, 2), (2, 2, 3)]
RATIO = {"name": "ratio", "alpha": ALPHA}


def module_of(sizes, *, constraint=RATIO, gradient="paper", spread=4.0):
    base = table_policy(random_table(1, STATES, sizes), sizes)
    task = table_policy(random_table(2, STATES, sizes, spread), sizes)
    box = gym.spaces.Box(-np.inf, np.inf, (STATES,))
    found = ProjectedPPOModule(
        observation_space=box,
        action_space=gym.spaces.Box(-np.inf, np.inf, (len(sizes),)),
        inference_only=False,
        model_config={
            "spec": base.spec.model_dump(mode="json"),
            "task_weights": network_to_bytes(task),
            "base_weights": network_to_bytes(base),
            "constraint": constraint,
            "gradient": gradient,
            "seed": 1,
        },
    )
    found.draw_from(np.random.default_rng(3))
    return found, base, task


def states(repeat: int = 1) -> torch.Tensor:
    return torch.eye(STATES).repeat(repeat, 1)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("way", ["forward_exploration", "forward_inference"])
def test_acting_returns_the_projection_of_the_fixed_policies(sizes, way):
    module, base, task = module_of(sizes)
    out = getattr(module, way)({Columns.OBS: states()})
    family = categorical_over(sizes)
    seen = np.eye(STATES)
    laws = [FrozenPolicy(one).distribution(seen) for one in (base, task)]
    want = laws[1].projected(laws[0], np.log(ALPHA))
    step = family.from_parameters(out[Columns.ACTION_DIST_INPUTS])
    assert out[Columns.ACTION_DIST_INPUTS].dtype == torch.float64
    assert not step.differs(want).any()
    assert bool(step.valid().all())
    ratio = step.max_log_ratio(laws[0])
    assert float(ratio.max()) <= np.log(ALPHA)
    assert float(ratio.min()) > 0.9 * np.log(ALPHA)  # it binds
    for mine, law in zip(module.came_from(out[POLICY_INPUTS]), laws, strict=True):
        assert not mine.differs(law).any()
        assert torch.equal(mine.numbers, law.numbers)
    told = checked(out, module.constraint, family, module.came_from, states()[:, STATES:])
    assert float(told["projected_share"]) == 1.0
    index = out[Columns.ACTIONS].numpy()
    assert ((index >= 0) & (index < np.array(sizes)) & (index == index.round())).all()


@pytest.mark.parametrize("sizes", SIZES)
def test_what_is_drawn_has_the_projection_s_frequencies(sizes):
    module, *_ = module_of(sizes)
    out = module.forward_exploration({Columns.OBS: states()[:1].repeat(20_000, 1)})
    law = categorical_over(sizes).from_parameters(out[Columns.ACTION_DIST_INPUTS][:1])
    for factor, p in enumerate(getattr(law, "factors", (law,))):
        drawn = out[Columns.ACTIONS][:, factor].long()
        share = torch.bincount(drawn, minlength=sizes[factor]) / 20_000
        torch.testing.assert_close(share.double(), p.probabilities[0], atol=0.015, rtol=0)


def test_alpha_one_is_the_base_to_the_bit():
    module, base, _ = module_of((3, 2), constraint={"name": "ratio", "alpha": 1.0})
    out = module.forward_exploration({Columns.OBS: states()})
    want = FrozenPolicy(base).distribution(np.eye(STATES)).parameters
    assert torch.equal(out[Columns.ACTION_DIST_INPUTS], want)


@pytest.mark.parametrize("sizes", SIZES)
def test_training_sees_the_softmax_of_the_unprojected_logits(sizes):
    """And of a weight that the grid has no number for: e^-100 still has a likelihood."""
    module, _, task = module_of(sizes, spread=40.0)
    out = module.forward_train({Columns.OBS: states()})
    law = module.learned(out[Columns.ACTION_DIST_INPUTS])
    weights = task.body[0].weight.T.double()
    action, start = torch.zeros(STATES, len(sizes)), 0
    want = torch.zeros(STATES, dtype=torch.float64)
    for factor, size in enumerate(sizes):
        own = torch.log_softmax(weights[:, start : start + size], -1)
        least = own.argmin(-1)
        action[:, factor] = least
        want += own.gather(-1, least[:, None])[:, 0]
        start += size
    torch.testing.assert_close(law.log_prob(action), want)
    assert want.min() < -36.0  # below 2^-52
    rllib = learned_actions(module.family).from_logits(out[Columns.ACTION_DIST_INPUTS])
    torch.testing.assert_close(rllib.logp(action), want)
    exact = -(out[Columns.ACTION_DIST_INPUTS].exp() * out[Columns.ACTION_DIST_INPUTS]).sum(-1)
    torch.testing.assert_close(rllib.entropy(), exact)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_through_the_projection_is_that_of_what_acts(sizes):
    """Where a factor of two is at its limit, its law is the base's alone: α is larger here."""
    module, *_ = module_of(
        sizes, gradient="through_projection", constraint={"name": "ratio", "alpha": 3.0}, spread=1.0
    )
    acted = module.forward_exploration({Columns.OBS: states(5)})
    batch = {Columns.OBS: states(5), POLICY_INPUTS: acted[POLICY_INPUTS]}
    out = module.forward_train(batch)[Columns.ACTION_DIST_INPUTS]
    torch.testing.assert_close(out.detach().exp(), acted[Columns.ACTION_DIST_INPUTS])
    module.learned(out).log_prob(acted[Columns.ACTIONS]).sum().backward()
    found = module.actor.body[0].weight.grad
    assert torch.isfinite(found).all()
    assert found.abs().max() > 0


def test_without_a_constraint_the_task_policy_itself_acts():
    module, _, task = module_of((3, 2), constraint={"name": "unconstrained"})
    out = module.forward_exploration({Columns.OBS: states()})
    want = FrozenPolicy(task).distribution(np.eye(STATES)).parameters
    assert torch.equal(out[Columns.ACTION_DIST_INPUTS], want)
    assert POLICY_INPUTS not in out


def test_a_floor_holds_beside_the_limit():
    record = {"name": "two_point", "alpha": ALPHA, "kappa": 0.8}
    module, base, _ = module_of((3, 2), constraint=record)
    out = module.forward_exploration({Columns.OBS: states()})
    step = module.family.from_parameters(out[Columns.ACTION_DIST_INPUTS])
    law = FrozenPolicy(base).distribution(np.eye(STATES))
    assert float(step.min_log_ratio(law).min()) >= np.log(0.8)
    assert float(step.max_log_ratio(law).max()) <= np.log(ALPHA)
