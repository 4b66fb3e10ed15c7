"""A cell's training batch in one piece, so that a minibatch is one call."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

_COLUMNS = (
    Columns.OBS,
    Columns.ACTIONS,
    Columns.ACTION_LOGP,
    Postprocessing.ADVANTAGES,
    Postprocessing.VALUE_TARGETS,
)


class Batch:
    """The columns that the losses read, side by side (N, W) float32; some rows of it are taken.

    After :meth:`take` the attributes are those rows: ``observation`` (n, O), normalised,
    ``actions`` (n, D), ``logp``, ``advantages`` and ``targets`` (n,).
    """

    def __init__(self, columns: Mapping[str, Tensor], device: torch.device) -> None:
        parts = [columns[name].flatten(1) if columns[name].ndim > 1 else columns[name][:, None]
                 for name in _COLUMNS]  # fmt: skip
        self._widths = [part.shape[1] for part in parts]
        self._whole = torch.cat(parts, dim=1).float().to(device)
        self._taken: Tensor | None = None

    def __len__(self) -> int:
        return len(self._whole)

    def take(self, index: Tensor) -> None:
        """Those rows (n,) from now on."""
        if self._taken is None or len(self._taken) != len(index):
            self._taken = self._whole[index]
            split = self._taken.split(self._widths, dim=1)
            self.observation, self.actions = split[0], split[1]
            self.logp, self.advantages, self.targets = (one[:, 0] for one in split[2:])
        else:
            torch.index_select(self._whole, 0, index, out=self._taken)
