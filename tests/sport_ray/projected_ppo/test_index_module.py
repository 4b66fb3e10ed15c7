"""The module over the index: what is drawn from is within α/M, and both gradients are as said."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from safetensors.torch import save

from sport_ray.families import Categorical
from sport_ray.projected_ppo.distribution import learned_actions
from sport_ray.projected_ppo.index_module import IndexModule
from sport_ray.projected_ppo.module import POLICY_INPUTS
from sport_ray.selection.scores.preference import PreferenceNetwork, PreferenceSpec

M, SEEN, D = 16, 3, 2
ALPHA = 1.3
UNITS = 2.0**52


def module_of(constraint, gradient="paper", spread=1.0) -> IndexModule:
    budget = constraint["name"] != "ratio"
    network = PreferenceNetwork(
        PreferenceSpec(
            observation_size=SEEN,
            action_size=D,
            embedding=(16,),
            hidden=(16, 8),
            limit_scale=1.0 if budget else None,
        )
    )
    torch.nn.init.normal_(network.layers[-1].weight, std=spread)
    return IndexModule(
        observation_space=gym.spaces.Box(-np.inf, np.inf, (SEEN + M * D + 2 * budget,)),
        action_space=gym.spaces.Box(0, M - 1, (1,)),
        inference_only=False,
        model_config={
            "spec": network.spec.model_dump(mode="json"),
            "weights": save(network.state_dict()),
            "num_candidates": M,
            "constraint": constraint,
            "gradient": gradient,
        },
    )


def ratio(alpha=ALPHA):
    return {"name": "ratio", "alpha": alpha}


def observations(n=200, features=0) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(n, SEEN + M * D + features)).astype(np.float32))


@pytest.mark.parametrize("way", ["forward_exploration", "forward_inference"])
@pytest.mark.parametrize("alpha", [1.01, ALPHA, 4.0])
def test_every_probability_is_at_most_alpha_over_m_as_an_integer(way, alpha):
    module = module_of(ratio(alpha), spread=5.0)
    p = getattr(module, way)({Columns.OBS: observations()})[Columns.ACTION_DIST_INPUTS]
    assert p.dtype == torch.float64
    units = (p * UNITS).long()
    assert torch.equal(units.double() / UNITS, p)
    assert (units.sum(-1) == 2**52).all()
    assert units.max().item() * M <= alpha * UNITS
    assert units.max().item() * M >= 0.999 * alpha * UNITS  # it is used


def test_it_is_the_projection_of_the_weights_that_came_with_it():
    module = module_of(ratio())
    out = module.forward_exploration({Columns.OBS: observations()})
    base, task = module.came_from(out[POLICY_INPUTS])
    again = task.projected(base, np.log(ALPHA)).probabilities
    assert torch.equal(out[Columns.ACTION_DIST_INPUTS], again)
    assert task.max_log_ratio(base).max() > 2 * np.log(ALPHA)


def test_alpha_one_is_the_uniform_law_to_the_bit():
    out = module_of(ratio(1.0)).forward_exploration({Columns.OBS: observations()})
    assert (out[Columns.ACTION_DIST_INPUTS] == 1.0 / M).all()


def test_a_budget_s_limit_is_each_row_s_own():
    module = module_of({"name": "pathwise_all", "log_budget": 1.0}, spread=5.0)
    seen = observations(features=2)
    left = torch.linspace(0.0, 1.0, len(seen))
    seen[:, -2:] = left[:, None]
    out = module.act(seen)
    step = Categorical.from_parameters(out[Columns.ACTION_DIST_INPUTS])
    found = step.max_log_ratio(Categorical.uniform(1, M))
    assert (found <= left.double()).all()
    assert found[0] == 0.0
    assert (found > 0.9 * left.double()).double().mean() > 0.9


def drawn(module, seen) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices that were drawn, and the probabilities that they were drawn from."""
    out = module.forward_exploration({Columns.OBS: seen})
    index = module.drawn_from(out[Columns.ACTION_DIST_INPUTS]).sample()
    return index, out[Columns.ACTION_DIST_INPUTS]


def derivative(module, seen, index):
    """Log likelihood (n,) as the loss has it, and its derivative in the log weights (n, M)."""
    kept = []
    exact = type(module).log_weights

    def remembered(observation):
        found = exact(module, observation)
        found.retain_grad()
        kept.append(found)
        return found

    module.log_weights = remembered
    out = module.forward_train({Columns.OBS: seen})
    del module.log_weights
    dist = learned_actions(Categorical).from_logits(out[Columns.ACTION_DIST_INPUTS])
    logp = dist.logp(index)
    logp.sum().backward()
    return logp.detach(), kept[0].grad, kept[0].detach()


def test_the_paper_s_gradient_is_the_unprojected_weight_s():
    """Log w_J, of which ∂/∂log w_i = 1[i = J] − w_i."""
    module, seen = module_of(ratio(), "paper", spread=5.0), observations()
    index, _ = drawn(module, seen)
    logp, gradient, weights = derivative(module, seen, index)
    w = torch.softmax(weights, -1)
    hot = torch.nn.functional.one_hot(index[:, 0].long(), M)
    torch.testing.assert_close(logp, w.log().gather(-1, index.long())[:, 0])
    torch.testing.assert_close(gradient, hot - w)
    assert (w.max(-1).values > 3 * ALPHA / M).all()  # it is not the projection's


def filled(weights: np.ndarray, cap: float) -> np.ndarray:
    """p_j = min(k·w_j, cap), Σ p = 1, by bisection of k: nothing of the family's code."""
    w = np.exp(weights - weights.max())
    low, high = 0.0, 1e6 / w.sum()
    for _ in range(200):
        k = 0.5 * (low + high)
        low, high = (k, high) if np.minimum(k * w, cap).sum() < 1.0 else (low, k)
    return np.minimum(k * w, cap)


def test_the_gradient_through_the_projection_is_that_of_the_law_that_is_drawn_from():
    """Log p_J with p = min(k·w, α/M), against differences of a bisection."""
    module, seen = module_of(ratio(2.0), "through_projection"), observations(60)
    index, p = drawn(module, seen)
    logp, gradient, weights = derivative(module, seen, index)
    torch.testing.assert_close(logp, p.gather(-1, index.long())[:, 0].log())
    h, compared, capped = 1e-5, 0, 0
    for row in range(len(seen)):
        w, j = weights[row].numpy(), int(index[row])
        inner = filled(w, 2.0 / M)
        np.testing.assert_allclose(inner, p[row].numpy(), rtol=1e-9, atol=1e-12)
        capped += inner[j] == 2.0 / M
        for i in range(M):
            ends = [filled(w + sign * h * (np.arange(M) == i), 2.0 / M)[j] for sign in (1, -1)]
            slope = (np.log(ends[0]) - np.log(ends[1])) / (2 * h)
            assert slope == pytest.approx(gradient[row, i].item(), abs=1e-5)
            compared += abs(slope) > 1e-3
    assert compared > 100
    assert capped > 5  # where the gradient is nothing


@pytest.mark.parametrize("gradient", ["paper", "through_projection"])
def test_the_network_learns_by_either(gradient):
    module, seen = module_of(ratio(), gradient), observations()
    index, _ = drawn(module, seen)
    derivative(module, seen, index)
    grads = [value.grad for value in module.actor.parameters()]
    # A constant on all weights changes no law: the last bias has no gradient.
    assert all(torch.isfinite(g).all() and g.abs().max() > 0 for g in grads[:-1])
    assert grads[-1].abs().max() < 1e-4


def test_a_weight_too_small_for_the_grid_still_has_a_likelihood_to_learn_from():
    law = learned_actions(Categorical).from_logits(
        torch.log_softmax(torch.tensor([[0.0, -100.0]]).double(), -1)
    )
    assert law.logp(torch.tensor([[1.0]])).item() == pytest.approx(-100.0)
    assert torch.isfinite(law.entropy()).all()


def test_the_critic_sees_no_candidates():
    module, seen = module_of(ratio()), observations()
    other = seen.clone()
    other[:, SEEN:] += 1.0
    values = module.compute_values({Columns.OBS: seen})
    assert values.std() > 0
    assert torch.equal(values, module.compute_values({Columns.OBS: other}))


def test_the_shared_fallback_is_refused():
    with pytest.raises(RuntimeError, match="no shared forward"):
        module_of(ratio())._forward({Columns.OBS: observations()})


def test_only_the_critic_stays_on_the_learner():
    module = module_of(ratio())
    assert module.get_non_inference_attributes() == ["critic"]
    assert {name.split(".")[0] for name in module.state_dict()} == {"actor", "critic"}
