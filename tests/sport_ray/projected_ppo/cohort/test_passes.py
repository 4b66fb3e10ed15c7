"""The passes without a graph, the loss and the optimiser are torch's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sport_ray.families.gaussian.head import GaussianHead
from sport_ray.policies.network import ACTIVATIONS, PolicyNetwork, mlp
from sport_ray.projected_ppo.acting import Actors, OneActor
from sport_ray.projected_ppo.cohort.adam import Adam
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.loss import PolicyRows, autograd_gradient, paper_gradient
from sport_ray.projected_ppo.cohort.passes import Passes, outputs
from sport_ray.projected_ppo.stack import Stack

CPU = torch.device("cpu")
HEADS = ["bounded", "clamped", "constant"]


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("count", [1, 3])
def test_gradients_are_those_of_autograd(activation, count):
    """Of one network, and of three at a time as a GPU would take them."""
    sizes, rows = (7, 16, 9, 3), 5
    stack, grads = Stack(count, sizes), Stack(count, sizes)
    bodies = [mlp(sizes, activation) for _ in range(count)]
    for index, body in enumerate(bodies):
        stack.put(index, body)
    x, upstream = torch.randn(count, rows, 7), torch.randn(count, rows, 3)
    one = count == 1
    passes = Passes(sizes, activation, (rows,) if one else (count, rows), CPU)
    weights, out = (s.each[0] if one else s.whole for s in (stack, grads))
    found = passes.forward(weights, x[0] if one else x).clone().reshape(count, rows, 3)
    passes.grad.copy_(upstream[0] if one else upstream)
    passes.backward(weights, out)
    for index, body in enumerate(bodies):
        expected = body(x[index])
        torch.testing.assert_close(found[index], expected, rtol=1e-5, atol=1e-6)
        plain = outputs(stack.each[index], activation, x[index])
        torch.testing.assert_close(plain, expected, rtol=1e-5, atol=1e-6)
        expected.backward(upstream[index])
        own = grads.each[index]
        for layer, matrix, bias in zip(body[::2], own.turned, own.biases, strict=True):
            torch.testing.assert_close(matrix, layer.weight.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(bias, layer.bias.grad, rtol=1e-4, atol=1e-5)


def test_a_stack_gives_back_what_was_put(small_base):
    spec = small_base.spec
    stack = Stack(2, spec.layer_sizes, spec.head.parameters)
    other = PolicyNetwork(spec)
    stack.put(1, small_base.body)
    stack.take(1, other.body)
    for mine, its in zip(other.parameters(), small_base.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert not stack.flat[0].any()


def _cell(small_base, **options) -> Cell:
    usual = {
        "seed": 0,
        "constraint": None,
        "start": small_base,
        "lr": 0.0,
        "critic_lr": 0.0,
        "gamma": 0.99,
        "lambda_": 0.95,
        "clip_param": 0.2,
        "entropy_coeff": 0.03,
        "grad_clip": None,
        "vf_loss_coeff": 0.5,
        "warmup_env_steps": 0,
    }
    return Cell(**{**usual, **options})


@pytest.mark.parametrize("kind", HEADS)
def test_the_compiled_loss_is_that_of_autograd(small_base, kind):
    """With ratios on both sides of the clip range, advantages of both signs, and entropy."""
    head = GaussianHead(kind, -2.0, 1.0, 2)
    generator = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    rows, own = 64, normal(2) if kind == "constant" else None
    output = normal(rows, head.outputs)
    with torch.no_grad():
        law = head.of_block(output, {} if own is None else {"log_std": own}).torch_distribution()
        actions = law.sample()
        logp = law.log_prob(actions) + 0.3 * normal(rows)
    data = PolicyRows(actions, logp, normal(rows))
    cell = _cell(small_base)
    results = []
    for way in (paper_gradient, lambda *args: autograd_gradient(*args, None)):
        grad = torch.full_like(output, math.nan)
        grad_own = None if own is None else torch.full_like(own, math.nan)
        loss = way(head, output, own, data, cell, grad, grad_own)
        results.append((loss, grad, grad_own))
    (loss, grad, grad_own), (expected, plain, plain_own) = results
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert 0.1 < loss.clipped < 0.9
    torch.testing.assert_close(grad, plain, rtol=2e-4, atol=1e-7)
    if own is not None:
        torch.testing.assert_close(grad_own, plain_own, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("clip", [math.inf, 0.01])
def test_adam_is_torchs_with_clipped_norms(clip):
    """Two networks of a stack at their own rates; the others' weights do not change by a bit."""
    stack = Stack(3, (5, 8, 2))
    torch.nn.init.normal_(stack.flat)
    plain = stack.flat.clone().requires_grad_()
    start = stack.flat.clone()
    gradient = torch.empty_like(stack.flat[0])
    ours = Adam(stack, gradient)
    parameters = [torch.nn.Parameter(plain[cell].detach().clone()) for cell in range(3)]
    theirs = [
        torch.optim.Adam([one], lr=rate, eps=1e-5)
        for one, rate in zip(parameters, (1e-2, 1e-3, 1.0), strict=True)
    ]
    for step in range(20):
        for cell, rate in ((0, 1e-2), (1, 1e-3)):
            gradient.copy_(torch.randn(gradient.shape) * 10.0 ** (step % 3 - 2))
            length = ours.norm()
            assert length == pytest.approx(float(torch.linalg.vector_norm(gradient)), rel=1e-5)
            scale = min(1.0, clip / (length + 1e-6))
            parameters[cell].grad = gradient * scale
            theirs[cell].step()
            ours.step(cell, rate, scale)
    for cell in (0, 1):
        torch.testing.assert_close(stack.flat[cell], parameters[cell].data, rtol=1e-5, atol=1e-6)
    assert torch.equal(stack.flat[2], start[2])
    assert ours.steps == [20, 20, 0]


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_acting_is_the_network(point_robot_spec, kind, activation):
    """In float32, and the same bits alone, among copies and among networks."""
    spec = point_robot_spec.model_copy(update={"std_head": kind, "activation": activation})
    networks = [PolicyNetwork(spec) for _ in range(3)]
    stack = Stack(3, spec.layer_sizes, spec.head.parameters)
    for index, network in enumerate(networks):
        stack.put(index, network.body, network.of_the_head())
    rows = torch.randn(3, 5, 44)
    together = Actors(spec, stack).distribution(np.arange(3), rows.numpy())
    for index, network in enumerate(networks):
        with torch.no_grad():
            expected = network(rows[index])
        got = together[index * 5 : index * 5 + 5]
        torch.testing.assert_close(got.parameters, expected.parameters, rtol=1e-5, atol=1e-6)
        alone = OneActor(network)
        assert torch.equal(alone(rows[index]).parameters, got.parameters)
        assert torch.equal(alone(rows[index, 2:3]).parameters, got.parameters[2:3])


def test_an_actor_sees_that_its_network_changed(small_base):
    network = PolicyNetwork(small_base.spec)
    actor, rows = OneActor(network), torch.randn(2, 44)
    before = actor(rows).parameters.clone()
    network.load_state_dict(small_base.state_dict())
    with torch.no_grad():
        expected = small_base(rows).parameters
    torch.testing.assert_close(actor(rows).parameters, expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(actor(rows).parameters, before)
