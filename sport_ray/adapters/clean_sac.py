"""The actor of the authors' code, and of CleanRL's SAC, as an npz of its torch parameters.

With h the last hidden layer, ``activation`` (a torch class by its characters' codes) after each,

    mean = mu_layer(h),  log std = −5 + 3.5·(tanh(log_std_layer(h)) + 1) in [−5, 2] nats,
    action = act_scale · tanh(u) + act_bias,  u ~ N(mean, diag(std²)),

and hidden layers ``net.0``, ``net.2``, … Source: the code of arXiv 2504.06386.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.adapters.parts import Actor, Linear
from sport_ray.errors import UserError
from sport_ray.policies.network import ACTIVATIONS, PolicyNetwork

LOG_STD_RANGE = (-5.0, 2.0)
"""Nats; fixed in that code, so no file holds it."""
OTHERS = {"activation", "act_scale", "act_bias"} | {
    f"{head}.{part}" for head in ("mu_layer", "log_std_layer") for part in ("weight", "bias")
}
_HIDDEN = re.compile(r"net\.(0|[1-9]\d*)\.(weight|bias)")

Arrays = dict[str, NDArray[Any]]


def is_clean_sac(arrays: Arrays) -> bool:
    """Whether arrays are of this layout."""
    return "mu_layer.weight" in arrays


def read_clean_sac(source: str, arrays: Arrays) -> PolicyNetwork:
    """The policy that the arrays hold; ``source`` begins the line of an error.

    Raises:
        UserError: an array that is missing, unknown or of another shape, or weights that are not
            finite float32 numbers.
    """
    hidden = [name for name in arrays if _HIDDEN.fullmatch(name)]
    for name in sorted(set(arrays) - set(hidden) - OTHERS):
        raise UserError(f"{source}: unknown array {name!r}")
    for name in sorted(OTHERS - set(arrays)):
        raise UserError(f"{source}: the array {name!r} is missing")
    numbers = sorted({int(name.split(".")[1]) for name in hidden})
    if numbers != list(range(0, 2 * len(numbers), 2)):
        raise UserError(f"{source}: hidden layers must be net.0, net.2, …, found {numbers}")
    low, high = _bounds(source, arrays)
    unit = set(low) == {-1.0} and set(high) == {1.0}
    return Actor(
        hidden=tuple(_linear(source, arrays, f"net.{number}") for number in numbers),
        activation=_activation(source, arrays["activation"]),
        last=_linear(source, arrays, "mu_layer"),
        log_std=_linear(source, arrays, "log_std_layer"),
        log_std_range=LOG_STD_RANGE,
        std_head="bounded",
        squash="tanh",
        action_low=None if unit else low,
        action_high=None if unit else high,
    ).network(source)


def _linear(source: str, arrays: Arrays, name: str) -> Linear:
    parts = []
    for part in (f"{name}.weight", f"{name}.bias"):
        if part not in arrays:
            raise UserError(f"{source}: the array {part!r} is missing")
        if arrays[part].dtype != np.float32:
            raise UserError(
                f"{source}: {part} is {arrays[part].dtype}, expected float32: cast it yourself"
            )
        parts.append(torch.from_numpy(arrays[part]))
    return parts[0], parts[1]


def _activation(source: str, codes: NDArray[Any]) -> str:
    known = {kind.__name__: name for name, kind in ACTIVATIONS.items()}
    told = (
        "".join(map(chr, codes.tolist()))
        if codes.dtype.kind in "iu" and codes.ndim == 1 and ((codes > 0) & (codes < 128)).all()
        else str(codes)
    )
    if told not in known:
        raise UserError(f"{source}: activation is {told!r}; expected one of {', '.join(known)}")
    return known[told]


def _bounds(source: str, arrays: Arrays) -> tuple[tuple[float, ...], tuple[float, ...]]:
    scale, bias = (arrays[name] for name in ("act_scale", "act_bias"))
    for name, value in (("act_scale", scale), ("act_bias", bias)):
        if value.ndim != 1 or value.dtype.kind != "f" or not np.isfinite(value).all():
            raise UserError(f"{source}: {name} must be a vector of finite floats")
    if scale.shape != bias.shape or not (scale > 0.0).all():
        raise UserError(f"{source}: act_scale must be positive, and as long as act_bias")
    centre, half = bias.astype(np.float64), scale.astype(np.float64)
    return tuple((centre - half).tolist()), tuple((centre + half).tolist())
