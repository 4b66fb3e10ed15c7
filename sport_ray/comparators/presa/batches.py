"""The data of an alignment as tensors: random batches, and how a policy fits all of it."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from sport_ray.comparators.presa.losses import preference_loss, safety_loss, segment_log_ratio
from sport_ray.comparators.presa.segments import Segments
from sport_ray.comparators.presa.settings import AlignmentSettings
from sport_ray.policies.network import PolicyNetwork

_ROWS = 2**14
"""Rows per forward pass where all data are gone through."""


class Batches:
    """The data as tensors, the reference's log densities of them, and random batches."""

    def __init__(
        self, reference: PolicyNetwork, data: Segments, settings: AlignmentSettings, seed: int
    ) -> None:
        self.settings = settings
        self.preference_loss = partial(
            preference_loss, temperature=settings.temperature, bias=settings.bias
        )
        self.safety_loss = partial(
            safety_loss,
            scale=settings.scale,
            margin=settings.margin,
            safe_weight=settings.safe_weight,
        )
        self.observations = torch.from_numpy(data.observations)
        self.actions = torch.from_numpy(data.actions)
        self.pairs = torch.from_numpy(data.pairs)
        self.unsafe = torch.from_numpy(data.unsafe)
        self.safe_rows = torch.from_numpy(np.flatnonzero(~data.unsafe))
        self.unsafe_rows = torch.from_numpy(np.flatnonzero(data.unsafe))
        self.generator = generator_of(seed, 1)
        self.reference = self._all_log_densities(reference)

    def losses(
        self, network: PolicyNetwork, constrained: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Preference, cloning and safety loss of a random batch, in one forward pass."""
        settings = self.settings
        pairs = self.pairs[self._draw(len(self.pairs), settings.batch_pairs)]
        chosen = pairs.T.reshape(-1)  # the preferred ones first
        if constrained:
            half = settings.batch_segments // 2
            safe = self.safe_rows[self._draw(len(self.safe_rows), half)]
            unsafe = self.unsafe_rows[self._draw(len(self.unsafe_rows), half)]
            chosen = torch.cat([chosen, safe, unsafe])
        density = network(self.observations[chosen]).log_prob(self.actions[chosen])
        log_ratio = density - self.reference[chosen]
        count = len(pairs)
        preferred, other = segment_log_ratio(log_ratio[: 2 * count], settings.gamma).split(count)
        preference = self.preference_loss(preferred, other)
        if not constrained:
            return preference, -density.mean(), None
        labels = self.unsafe[chosen]
        safety = self.safety_loss(log_ratio[2 * count :], labels[2 * count :])
        return preference, -density[~labels].mean(), safety  # the drawn half is never empty

    @torch.no_grad()
    def fit(self, network: PolicyNetwork) -> tuple[float, float, float | None]:
        """Preference loss, accuracy and safety loss over all data, in float64."""
        log_ratio = (self._all_log_densities(network) - self.reference).double()
        sums = segment_log_ratio(log_ratio, self.settings.gamma)
        preferred, other = sums[self.pairs[:, 0]], sums[self.pairs[:, 1]]
        preference = self.preference_loss(preferred, other)
        right = (preferred > other).double() + 0.5 * (preferred == other).double()
        safety = None
        if self.unsafe.any() and not self.unsafe.all():
            safety = float(self.safety_loss(log_ratio, self.unsafe))
        found = (float(preference), float(right.mean()), safety)
        if not all(value is None or math.isfinite(value) for value in found):
            raise ArithmeticError(f"the aligned policy's losses over the data are {found}")
        return found

    def _draw(self, count: int, wanted: int) -> Tensor:
        return torch.randint(count, (wanted,), generator=self.generator)

    @torch.no_grad()
    def _all_log_densities(self, network: PolicyNetwork) -> Tensor:
        """Log π of every action in the data, (N, L)."""
        observations, actions = self.observations.flatten(0, 1), self.actions.flatten(0, 1)
        parts = [
            network(seen).log_prob(done)
            for seen, done in zip(observations.split(_ROWS), actions.split(_ROWS), strict=True)
        ]
        return torch.cat(parts).reshape(self.actions.shape[:2])


def generator_of(seed: int, part: int) -> torch.Generator:
    """A generator of its own for each part of training, so that one does not shift the other."""
    state = np.random.SeedSequence([seed, part]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
