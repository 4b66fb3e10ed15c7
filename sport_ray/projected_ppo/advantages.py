"""A repair of RLlib's advantages: standardise over the steps that were taken, and only those."""

from __future__ import annotations

from typing import Any

from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing


class StandardiseAdvantages(ConnectorV2):
    """Advantages with mean 0 and std 1 over the rows that the loss counts.

    RLlib extends every episode by one phantom row (to get the value of its last state) and
    standardises over those rows too, although the loss masks them. With episodes of 13 steps the
    real rows are left with a mean of −0.25 (measured): every action that was taken is made less
    likely, and the entropy grows until the policy is lost.
    """

    def __call__(self, *, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Standardise each module's advantages in place."""
        for module_batch in batch.values():
            advantages = module_batch.get(Postprocessing.ADVANTAGES)
            if advantages is None:
                continue
            mask = module_batch.get(Columns.LOSS_MASK)
            taken = advantages if mask is None else advantages[mask]
            spread = taken.std(unbiased=False).clamp(min=1e-4)
            module_batch[Postprocessing.ADVANTAGES] = (advantages - taken.mean()) / spread
        return batch
