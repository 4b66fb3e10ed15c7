"""Policies: diagonal Gaussians before a common action mapping, trainable or frozen, on disk."""

from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import GaussianNetwork, PolicySpec
from sport_ray.policies.observations import Normalization
from sport_ray.policies.store import PolicyFile, load_policy, policy_digest, save_policy

__all__ = [
    "ActionMapping",
    "FrozenGaussian",
    "GaussianNetwork",
    "Normalization",
    "PolicyFile",
    "PolicySpec",
    "load_policy",
    "policy_digest",
    "save_policy",
]
