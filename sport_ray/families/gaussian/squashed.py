"""Log density and entropy of a Gaussian action after tanh."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from sport_ray.families.gaussian.distribution import Gaussian

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_HALF_LOG_2PI_E = 0.5 * math.log(2.0 * math.pi * math.e)


def log_slopes(drawn: Tensor) -> Tensor:
    """ln(1 − tanh²(u_i)) (..., D), nats: log density of tanh(u) = log N(u) − Σ_i of these.

    As 2·(ln 2 − u − softplus(−2u)), without the difference, which is 0 in float32 from |u| = 9 on.

    Source: arXiv 1812.05905, appendix C.
    """
    found: Tensor = 2.0 * (math.log(2.0) - drawn - softplus(-2.0 * drawn))
    return found


def squashed_log_density(law: Gaussian, noise: Tensor) -> Tensor:
    """Log density of tanh(u) (...) for u = mean + std · noise (..., D), nats."""
    gaussian = -(0.5 * noise**2 + torch.log(law.std) + _HALF_LOG_2PI).sum(dim=-1)
    return gaussian - log_slopes(reparameterised(law, noise)).sum(dim=-1)


def squashed_entropy(law: Gaussian, drawn: Tensor) -> Tensor:
    """Estimate of the entropy of tanh(u), u ~ law, in [−1, 1]^D, nats, (n,).

    Σ_i [½ ln(2πe std_i²) + ln(1 − tanh² u_i)] with ``drawn`` = u (n, D): unbiased, and so is its
    gradient where u moves with the law (:func:`reparameterised`).

    Source: arXiv 1812.05905, appendix C.
    """
    found: Tensor = (torch.log(law.std) + _HALF_LOG_2PI_E + log_slopes(drawn)).sum(-1)
    return found


def reparameterised(law: Gaussian, noise: Tensor) -> Tensor:
    """Mean + std · noise, (n, D), with its derivative."""
    return law.mean + law.std * noise
