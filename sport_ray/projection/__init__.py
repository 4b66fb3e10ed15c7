"""Projection of task policies onto the set that the base policy's certificate covers.

``project_kl`` and ``max_log_ratio`` on torch tensors, ``project_kl_arrays`` and
``max_log_ratio_arrays`` on numpy arrays, ``project_mean_shift`` for mean-only shifts,
``kl_divergence``, and ``realised_log_ratio`` at drawn actions. All log ratios are in nats.

>>> import torch
>>> base, task = torch.tensor([0.0, 0.0]), torch.tensor([0.5, 0.0])
>>> std = torch.tensor([1.0, 1.0])
>>> mean, narrowed = project_kl(base, std, task, std, log_alpha=0.2)
>>> bool(max_log_ratio(mean, narrowed, base, std) <= 0.2)
True
"""

from __future__ import annotations

from sport_ray.projection.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.projection.gaussian import kl_divergence, max_log_ratio, project_kl
from sport_ray.projection.mean_shift import project_mean_shift
from sport_ray.projection.realised import log_ratio_terms, realised_log_ratio

__all__ = [
    "kl_divergence",
    "log_ratio_terms",
    "max_log_ratio",
    "max_log_ratio_arrays",
    "project_kl",
    "project_kl_arrays",
    "project_mean_shift",
    "realised_log_ratio",
]
