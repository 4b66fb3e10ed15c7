"""Tensor environments: many slots stepped at once, all in torch tensors of one device.

An environment that has only this form can be certified, trained in, evaluated and deployed in: the
protocol is :class:`TensorEnvironment`, an id is given by :func:`register_tensor_environment`, and
:func:`require_tensor_environment` tells an author what is still wrong. Names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.tensors.checking import require_tensor_environment
    from sport_ray.tensors.environment import TensorEnvironment, TensorStep
    from sport_ray.tensors.point_robot import PointRobot
    from sport_ray.tensors.randomness import normals, uniforms
    from sport_ray.tensors.registry import (
        make_tensor_environment,
        register_tensor_environment,
        tensor_factory,
    )

__all__ = [
    "PointRobot",
    "TensorEnvironment",
    "TensorStep",
    "make_tensor_environment",
    "normals",
    "register_tensor_environment",
    "require_tensor_environment",
    "tensor_factory",
    "uniforms",
]

__getattr__ = names_from(
    __name__,
    {
        "PointRobot": ".point_robot",
        "TensorEnvironment": ".environment",
        "TensorStep": ".environment",
        "make_tensor_environment": ".registry",
        "normals": ".randomness",
        "register_tensor_environment": ".registry",
        "require_tensor_environment": ".checking",
        "tensor_factory": ".registry",
        "uniforms": ".randomness",
    },
)
