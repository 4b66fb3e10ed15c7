"""Policies: diagonal Gaussians before a common squashing, trainable or frozen, on disk."""

from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.network import GaussianNetwork, PolicySpec
from sport_ray.policies.store import PolicyFile, load_policy, policy_digest, save_policy

__all__ = [
    "FrozenGaussian",
    "GaussianNetwork",
    "PolicyFile",
    "PolicySpec",
    "load_policy",
    "policy_digest",
    "save_policy",
]
