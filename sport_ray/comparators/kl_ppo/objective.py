"""The environment's reward, less what the policy's own law costs beside the base's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sport_ray.projected_ppo.objective import Array, Objective, Pursuit, Sampled


@dataclass(frozen=True)
class KLPenalty(Objective):
    """r − κ log π(a|s)/π_base(a|s), of the action that was taken, as it was sampled.

    Its sum over an episode has the mean E[Σ r] − κ KL(paths of π ‖ paths of the base). κ = 0 leaves
    the reward as it is; as κ grows the best policy tends to the base.

    weight: κ ≥ 0, reward per nat.

    Source: Jaques et al., Sequence Tutor, 2017 (arXiv 1611.02796), eq. 5; the base is the prior.
    """

    weight: float

    needs_base = True

    def begin(self) -> Pursuit:
        """There is nothing to keep."""
        return _Charged(self.weight)


class _Charged(Pursuit):
    def __init__(self, weight: float) -> None:
        self._weight = weight

    def rewards(self, batch: Sequence[Sampled], *, learns: bool) -> list[Array]:
        """The same whatever learns."""
        if not self._weight:
            return [part.rewards for part in batch]
        return [part.rewards - self._weight * part.log_ratio() for part in batch]
