"""Clone the data, then align the clone with preferences under a constraint on safety labels.

min over θ, max over ν ≥ 0 of

    L_pref(θ) + ν · (L_safe(θ) − δ) + w · L_clone(θ)

by turns: an Adam step on θ over random pairs and labelled segments, then a step of ν. The losses
are those of ``sport_ray.comparators.presa.losses``, relative to the clone, which stays fixed. No
environment.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.comparators.presa.batches import Batches, generator_of
from sport_ray.comparators.presa.losses import Multiplier
from sport_ray.comparators.presa.segments import Segments
from sport_ray.comparators.presa.settings import AlignmentSettings
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.threads import one_thread


@dataclass(frozen=True, eq=False)
class History:
    """Numbers of each alignment step, (steps,), nats; NaN where an objective has no such loss."""

    preference_loss: NDArray[np.float64]
    safety_loss: NDArray[np.float64]
    cloning_loss: NDArray[np.float64]
    multiplier: NDArray[np.float64]  # after the step


@dataclass(frozen=True, eq=False)
class Aligned:
    """A policy and how it fits all of the data, as measured at the end.

    preference_loss, safety_loss: nats; None where they were not asked for or cannot be had.
    preference_accuracy: share of pairs whose preferred segment has the larger score; 1/2 for ties.
    multiplier: ν at the end; None without a constraint.
    """

    network: PolicyNetwork
    history: History
    preference_loss: float
    preference_accuracy: float
    safety_loss: float | None
    multiplier: float | None


def train_policy(
    base: PolicyNetwork, segments: Segments, settings: AlignmentSettings, seed: int
) -> Aligned:
    """The policy of an objective: the base, cloned to the data and then aligned.

    Raises:
        UserError: data of other sizes than the base's, or with one label only (objective "presa").
        ArithmeticError: a loss or weights that are not finite.
    """
    if settings.objective == "presa":  # before any time is spent
        segments.require_both_labels()
    return align(clone(base, segments, settings, seed), segments, settings, seed)


def clone(
    base: PolicyNetwork, segments: Segments, settings: AlignmentSettings, seed: int
) -> PolicyNetwork:
    """Behaviour cloning from the base's weights: maximum likelihood of all actions, one by one.

    Raises:
        UserError: data of other sizes than the base's.
        ArithmeticError: a loss or weights that are not finite.
    """
    segments.require_fits(base.spec)
    network = _copy(base)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
    generator = generator_of(seed, 0)
    observations = torch.from_numpy(segments.observations).flatten(0, 1)
    actions = torch.from_numpy(segments.actions).flatten(0, 1)
    rows = min((2 * settings.batch_pairs + settings.batch_segments) * segments.length, len(actions))
    with one_thread():
        for step in range(settings.clone_steps):
            chosen = torch.randint(len(actions), (rows,), generator=generator)
            loss = -network(observations[chosen]).log_prob(actions[chosen]).mean()
            _descend(network, optimizer, loss, settings.grad_clip, f"cloning step {step}")
    _require_finite(network)
    return network


def align(
    reference: PolicyNetwork, segments: Segments, settings: AlignmentSettings, seed: int
) -> Aligned:
    """The reference aligned with the data; the objective "behaviour_cloning" leaves it as it is.

    Raises:
        UserError: data of other sizes than the policy's, or with one label only ("presa").
        ArithmeticError: a loss, the multiplier or weights that are not finite.
    """
    segments.require_fits(reference.spec)
    constrained = settings.objective == "presa"
    if constrained:
        segments.require_both_labels()
    steps = 0 if settings.objective == "behaviour_cloning" else settings.steps
    network = _copy(reference)
    history = np.full((4, steps), math.nan)
    nu = Multiplier(
        settings.multiplier_start,
        settings.multiplier_rate,
        settings.safety_target,
        settings.multiplier_max,
    )
    with one_thread():
        run = Batches(reference, segments, settings, seed)
        optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
        for step in range(steps):
            where = f"alignment step {step}"
            preference, cloning, safety = run.losses(network, constrained)
            loss = preference + settings.cloning_weight * cloning
            if safety is not None:
                loss = loss + nu.value * safety
            _descend(network, optimizer, loss, settings.grad_clip, where)
            history[:3, step] = (
                preference.item(),
                math.nan if safety is None else safety.item(),
                cloning.item(),
            )
            if safety is not None:
                history[3, step] = nu.update(safety.item())
        _require_finite(network)
        fit = run.fit(network)
    return Aligned(network, History(*history), *fit, nu.value if constrained else None)


def _copy(network: PolicyNetwork) -> PolicyNetwork:
    trainable = copy.deepcopy(network)
    trainable.requires_grad_(True)
    return trainable.train()


def _descend(
    network: PolicyNetwork,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    grad_clip: float,
    where: str,
) -> None:
    """One step of Adam; refuses a loss or a gradient that is not finite."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), grad_clip)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise ArithmeticError(
            f"{where}: the loss is {loss.item()} and its gradient {norm.item()}: training diverged"
        )
    optimizer.step()


def _require_finite(network: PolicyNetwork) -> None:
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ArithmeticError("training diverged: the policy's weights are not finite")
