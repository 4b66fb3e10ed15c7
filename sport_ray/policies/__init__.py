"""Policies: a family's law before a common action mapping, trainable or frozen, on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.policies.actions import ActionMapping
    from sport_ray.policies.frozen import FrozenPolicy
    from sport_ray.policies.network import PolicyNetwork, PolicySpec
    from sport_ray.policies.observations import Normalization
    from sport_ray.policies.store import PolicyFile, load_policy, policy_digest, save_policy

_HOMES = {
    "ActionMapping": ".actions",
    "FrozenPolicy": ".frozen",
    "PolicyNetwork": ".network",
    "Normalization": ".observations",
    "PolicyFile": ".store",
    "PolicySpec": ".network",
    "load_policy": ".store",
    "policy_digest": ".store",
    "save_policy": ".store",
}

__all__ = [
    "ActionMapping",
    "FrozenPolicy",
    "Normalization",
    "PolicyFile",
    "PolicyNetwork",
    "PolicySpec",
    "load_policy",
    "policy_digest",
    "save_policy",
]

__getattr__ = names_from(__name__, _HOMES)
