"""Observation normalisation that a policy was trained with: frozen, part of the policy."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class Normalization(BaseModel):
    """o ↦ clip((o − mean) / scale, −clip, clip) of the first entries of an observation.

    Computed in float64 and rounded to float32, as Stable-Baselines3's ``VecNormalize`` does (scale
    = √(var + ε)): for observations that are float32 numbers the result is its, to the bit. Entries
    beyond the length of ``mean`` (what is left of a budget) pass as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: Annotated[tuple[Finite, ...], Field(min_length=1)]
    scale: tuple[Positive, ...]
    clip: Positive | None = None

    @model_validator(mode="after")
    def _same_size(self) -> Normalization:
        if len(self.mean) != len(self.scale):
            raise ValueError(f"mean has {len(self.mean)} entries, scale {len(self.scale)}")
        return self

    @classmethod
    def from_variance(
        cls,
        mean: np.ndarray,
        var: np.ndarray,
        epsilon: float,
        clip: float | None,
    ) -> Normalization:
        """With scale = √(var + ε), in float64."""
        scale = np.sqrt(np.asarray(var, dtype=np.float64) + float(epsilon))
        centre = np.asarray(mean, dtype=np.float64)
        return cls(
            mean=tuple(centre.ravel().tolist()),
            scale=tuple(scale.ravel().tolist()),
            clip=None if clip is None or np.isinf(clip) else float(clip),
        )


class Normalizer:
    """A :class:`Normalization` as tensors.

    No module and no buffer: ``.double()`` or ``.float()`` on a network must not round what belongs
    to the policy's identity, and no optimiser may see it.
    """

    def __init__(self, normalization: Normalization) -> None:
        self.mean = torch.tensor(normalization.mean, dtype=torch.float64)
        self.scale = torch.tensor(normalization.scale, dtype=torch.float64)
        self.clip = normalization.clip

    def __call__(self, observation: Tensor) -> Tensor:
        """Observations (..., O) normalised: float32 numbers in the dtype they came in."""
        size = len(self.mean)
        mean, scale = self.mean.to(observation.device), self.scale.to(observation.device)
        seen = (observation[..., :size].double() - mean) / scale
        if self.clip is not None:
            seen = seen.clamp(-self.clip, self.clip)
        rounded = seen.float().to(observation.dtype)
        return torch.cat([rounded, observation[..., size:]], dim=-1)
