"""What was sampled with the rewards of an objective in place of the environment's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.network import PolicyNetwork
from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.projected_ppo.objective import Objective, Sampled


class Pursued:
    """One training run's objective at work on fragments; of none they stay as they are.

    base: whose log ratios an objective may ask for.
    """

    def __init__(self, objective: Objective | None, base: PolicyNetwork | None) -> None:
        self._run = None if objective is None else objective.begin()
        wanted = objective is not None and objective.needs_base
        self._base = FrozenPolicy(base) if wanted and base is not None else None

    def __call__(self, fragments: Sequence[Fragment], *, learns: bool) -> list[Fragment]:
        """The fragments to learn from.

        Raises:
            UserError: see ``Pursuit.rewards``.
        """
        if self._run is None:
            return list(fragments)
        seen = [
            Sampled(
                one.rewards,
                one.terminated | one.truncated,
                one.taken,
                one.violated,
                partial(self._log_ratio, one),
            )
            for one in fragments
        ]
        found = self._run.rewards(seen, learns=learns)
        return [replace(one, rewards=r) for one, r in zip(fragments, found, strict=True)]

    @property
    def told(self) -> dict[str, float]:
        """The objective's numbers by name."""
        return {} if self._run is None else self._run.told

    def _log_ratio(self, fragment: Fragment) -> NDArray[np.float64]:
        """Log π/π_base of the actions taken, (T, E); of log weights, so that it is finite."""
        assert self._base is not None, "the configuration has a base"
        taken = fragment.taken
        seen = fragment.observations[:-1][taken][:, : self._base.spec.observation_size]
        law = self._base.distribution(seen)
        base = law.log_prob(torch.from_numpy(fragment.actions[taken].astype(np.float64)))
        found = np.zeros(taken.shape)
        found[taken] = fragment.action_logp[taken].astype(np.float64) - base.numpy()
        return found
