"""What one call of a runner sampled, as arrays, and the training batch that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from sport_ray.projected_ppo.gae import generalised_advantages
from sport_ray.projected_ppo.module import POLICY_INPUTS

Array = NDArray[np.floating]
Values = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Fragment:
    """T consecutive steps of E environments side by side; RLlib hands it on like an episode.

    ``taken`` marks the steps: with NEXT_STEP resets, the step after an end only resets, and its
    action, reward and log probability belong to no transition. ``observations`` has one more row
    than there are steps, the state after the last one. An episode may go on in the next fragment.
    """

    observations: Array  # (T + 1, E, O)
    actions: Array  # (T, E, D), before squashing
    action_logp: Array  # (T, E), nats
    action_dist_inputs: Array  # (T, E, P)
    policy_inputs: Array | None  # (T, E, 2P), see POLICY_INPUTS; None without a base
    rewards: NDArray[np.float64]  # (T, E)
    terminated: NDArray[np.bool_]  # (T, E)
    truncated: NDArray[np.bool_]  # (T, E)
    taken: NDArray[np.bool_]  # (T, E)
    violated: NDArray[np.bool_] | None = None  # (T, E) see objective.Sampled; None: not told

    def __len__(self) -> int:
        """The number of steps that were taken."""
        return int(self.taken.sum())

    def rows(self) -> NDArray[np.intp]:
        """Indices t·E + e of the steps taken, (len(self),), in RLlib's order of rows.

        That is episode by episode: those that ended in this fragment by the time of their end,
        then by environment those that go on.
        """
        steps, count = self.taken.shape
        time, env = np.indices((steps, count))
        ends = np.where(self.terminated | self.truncated, time, steps)
        ends = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
        order = np.lexsort((time.ravel(), env.ravel(), ends.ravel()))
        return order[self.taken.ravel()[order]]


def training_batch(
    fragments: Sequence[Fragment], values: Values, *, gamma: float, lambda_: float
) -> dict[str, Tensor]:
    """The learner's batch: one row per step taken, with advantages and the critic's targets.

    Advantages are standardised over all rows (mean 0, std 1).

    Args:
        fragments: at least one.
        values: the critic: observations (n, O) to values (n,).
        gamma: discount.
        lambda_: λ of the advantages.

    Raises:
        ValueError: as :func:`~sport_ray.projected_ppo.gae.generalised_advantages`.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for fragment in fragments:
        steps, count = fragment.taken.shape
        flat = torch.tensor(fragment.observations).flatten(0, 1)
        with torch.no_grad():
            critic = values(flat).cpu().numpy().reshape(steps + 1, count)
        advantages = generalised_advantages(
            fragment.rewards,
            critic,
            fragment.terminated,
            fragment.truncated,
            gamma=gamma,
            lambda_=lambda_,
        )
        columns = {
            Columns.OBS: fragment.observations[:-1],
            Columns.ACTIONS: fragment.actions,
            Columns.ACTION_LOGP: fragment.action_logp,
            Columns.ACTION_DIST_INPUTS: fragment.action_dist_inputs,
            Postprocessing.ADVANTAGES: advantages,
            Postprocessing.VALUE_TARGETS: advantages + critic[:-1],
        }
        if fragment.policy_inputs is not None:
            columns[POLICY_INPUTS] = fragment.policy_inputs
        rows = fragment.rows()
        for name, column in columns.items():
            parts.setdefault(name, []).append(column.reshape(-1, *column.shape[2:])[rows])
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    raw = whole[Postprocessing.ADVANTAGES]
    whole[Postprocessing.ADVANTAGES] = (raw - raw.mean()) / max(1e-4, float(raw.std()))
    for name in (Postprocessing.ADVANTAGES, Postprocessing.VALUE_TARGETS):
        whole[name] = whole[name].astype(np.float32)
    # The rest as it was sampled: no probability of a categorical is a float32 number.
    return {name: torch.from_numpy(array) for name, array in whole.items()}
