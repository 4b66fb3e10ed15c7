"""The random streams of training by their names: none is torch's or numpy's global one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from sport_ray.policies.network import PolicySpec, image_body, mlp
from sport_ray.random_streams import seed_sequence, stream


def noise_generator(
    seed: int | None, runner: int, *, evaluation: bool = False
) -> np.random.Generator:
    """What a runner's actions are drawn with, from its first step to its last.

    Each step of its n copies takes ``family.draw_noise(generator, n, D)`` once, the copies in
    order; also of copies that only reset.

    Args:
        seed: the algorithm's; None for fresh entropy.
        runner: RLlib's index of the worker.
        evaluation: whether the runner evaluates, which no training may share numbers with.
    """
    return stream(seed, f"{'evaluation' if evaluation else 'training'} noise {runner}")


def minibatch_generator(seed: int | None) -> np.random.Generator:
    """What the learner permutes the rows of its batches with; None for fresh entropy."""
    return stream(seed, "training minibatches")


def critic_network(sizes: tuple[int, ...], activation: str, seed: int | None) -> nn.Sequential:
    """A critic with first weights of torch's own law, from the stream "critic" of a seed."""
    with first_weights(seed, "critic"):
        return mlp(sizes, activation).float()  # whatever torch's default dtype is


def critic_of(spec: PolicySpec, seed: int | None) -> nn.Sequential:
    """A critic with the hidden layers of a policy, and a convolution of its own for images."""
    sizes = (spec.layer_sizes[0], *spec.hidden, 1)
    with first_weights(seed, "critic"):
        images = image_body(spec)
        linear = mlp(sizes, spec.activation)
        return (linear if images is None else nn.Sequential(images, linear)).float()


@contextmanager
def first_weights(seed: int | None, use: str) -> Iterator[None]:
    """Networks made inside draw their weights from the stream of that use.

    torch's initialisation reads its global generator, which is as it was afterwards.
    """
    (state,) = seed_sequence(seed, use).generate_state(1, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(state >> np.uint64(1)))
        yield
