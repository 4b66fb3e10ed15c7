"""Noise of the point robot's world: its four parameters, and how far two such worlds are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sport_ray.errors import UserError

Numbers = float | Sequence[float]
"""A number for all coordinates alike, or one for each."""

_LARGEST = 10.0
_SIZES = {"actuation_noise": 2, "actuation_bias": 2, "start_noise": 3, "start_bias": 3}


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """Gaussian noise of a world: mean (bias) and std (noise) of each coordinate.

    Actuation (push, turn): added to each squashed action before it is clipped to [-1, 1],
    afresh at each step. Start (x, y in metres, heading in radians): added to the layout's pose.
    Given as a number for all coordinates or as one for each; kept as 2, 2, 3 and 3 floats.

    Raises:
        UserError: neither; noise outside 0 … 10, or a bias outside -10 … 10.
    """

    actuation_noise: Numbers = 0.0
    actuation_bias: Numbers = 0.0
    start_noise: Numbers = 0.0
    start_bias: Numbers = 0.0

    def __post_init__(self) -> None:
        for name in _SIZES:
            object.__setattr__(self, name, _parse(name, getattr(self, name)))


class PerturbationRatios(NamedTuple):
    """Largest density ratios, deployment over base: ``alpha_mu`` once, ``alpha_p`` per step."""

    alpha_mu: float
    alpha_p: float


def perturbation_ratios(
    base_kwargs: Mapping[str, Any], deployment_kwargs: Mapping[str, Any]
) -> PerturbationRatios:
    """(alpha_mu, alpha_p) of two worlds of the point robot, for ``ratio_bound``; may be ``inf``.

    Both are arguments of ``sport_ray/PointReachAvoid-v0``. The start is a function of the layout
    and the start noise, and each next state one of state, action and actuation noise, so the
    ratios of the two noise laws (``gaussian_max_ratio``) bound those of the initial and the
    transition laws. They are finite only where each coordinate has less noise at deployment than
    in the base's world, or the same noise with the same bias.

    Raises:
        UserError: the arguments differ in anything but the four of noise, for which there is no
            bound, or one of the four is not allowed.

    >>> ratios = perturbation_ratios({"actuation_noise": 0.2}, {"actuation_noise": 0.16})
    >>> round(ratios.alpha_p, 9), ratios.alpha_mu
    (1.5625, 1.0)
    """
    from sport_ray.bounds import gaussian_max_ratio  # loads scipy, which no environment needs

    worlds = [
        Perturbation(**{k: v for k, v in kwargs.items() if k in _SIZES})
        for kwargs in (base_kwargs, deployment_kwargs)
    ]
    for name in sorted((set(base_kwargs) | set(deployment_kwargs)) - set(_SIZES)):
        given = [kwargs[name] for kwargs in (base_kwargs, deployment_kwargs) if name in kwargs]
        if len(given) < 2 or given[0] != given[1]:
            base, deployed = (
                repr(kwargs[name]) if name in kwargs else "not given"
                for kwargs in (base_kwargs, deployment_kwargs)
            )
            raise UserError(
                f"{name} is {deployed} at deployment and {base} for the base: there is a bound "
                f"only for changes of {', '.join(_SIZES)}; give both the same {name}"
            )
    base_world, world = worlds
    return PerturbationRatios(
        alpha_mu=gaussian_max_ratio(
            world.start_bias, world.start_noise, base_world.start_bias, base_world.start_noise
        ),
        alpha_p=gaussian_max_ratio(
            world.actuation_bias,
            world.actuation_noise,
            base_world.actuation_bias,
            base_world.actuation_noise,
        ),
    )


def _parse(name: str, value: object) -> tuple[float, ...]:
    size = _SIZES[name]
    least = 0.0 if name.endswith("noise") else -_LARGEST
    given = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    numbers: list[Any] = list(given) if isinstance(given, list | tuple) else [given] * size
    if len(numbers) == size and all(_allowed(number, least) for number in numbers):
        return tuple(float(number) for number in numbers)
    raise UserError(
        f"{name} is {value!r}: expected a number from {least:g} to {_LARGEST:g}, "
        f"or {size} of them in a list"
    )


def _allowed(number: object, least: float) -> bool:
    if isinstance(number, bool) or not isinstance(number, int | float | np.floating | np.integer):
        return False
    return bool(least <= number <= _LARGEST)  # not so for NaN
