"""A base policy as something that can be sampled, and nothing more: a black box.

``BaseSampler`` is the interface. ``PolicySampler`` samples a Gaussian policy, ``UserSampler`` any
function or class of a user's; ``read_base`` reads either base from its folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.samplers.base_file import (
        BaseFile,
        SamplerFile,
        base_digest,
        read_base,
        sampler_of,
        save_sampler,
    )
    from sport_ray.samplers.policy import PolicySampler
    from sport_ray.samplers.sampler import BaseSampler
    from sport_ray.samplers.trust import trust_module
    from sport_ray.samplers.user import SamplerSpec, UserSampler

_HOMES = {
    "BaseFile": ".base_file",
    "BaseSampler": ".sampler",
    "PolicySampler": ".policy",
    "SamplerFile": ".base_file",
    "SamplerSpec": ".user",
    "UserSampler": ".user",
    "base_digest": ".base_file",
    "read_base": ".base_file",
    "sampler_of": ".base_file",
    "save_sampler": ".base_file",
    "trust_module": ".trust",
}

__all__ = [
    "BaseFile",
    "BaseSampler",
    "PolicySampler",
    "SamplerFile",
    "SamplerSpec",
    "UserSampler",
    "base_digest",
    "read_base",
    "sampler_of",
    "save_sampler",
    "trust_module",
]

__getattr__ = names_from(__name__, _HOMES)
