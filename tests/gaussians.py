"""Gaussians from plain numbers, for tests."""

from __future__ import annotations

from typing import Any

import torch

from sport_ray.families import Gaussian


def gaussian(mean: Any, std: Any) -> Gaussian:
    """Of arrays or tensors (..., D), in their own dtype."""
    return Gaussian(torch.as_tensor(mean), torch.as_tensor(std))
