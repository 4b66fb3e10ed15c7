"""An MLP actor in an npz file: a layout that any library's policy can be written in.

With y = W x + b, the activation after each hidden layer, and D actions, a Gaussian is:

==============================  =====================================================
``format``                      the string "sport-ray/mlp-gaussian/1"
``activation``                  relu, tanh, elu, silu, leaky_relu or sigmoid (torch's defaults)
``weight_0``, ``bias_0``, …     hidden layers (out, in) and (out,), float32; none for linear
``mean_weight``, ``mean_bias``  (D, last), (D,) float32: the mean
``log_std``                     (D,) float32, nats: one std for all states; or
``log_std_weight``, ``…_bias``  (D, last), (D,) float32: log std as a layer beside the mean
``log_std_min``, ``…_max``      nats, optional: log std is clamped to this range
``squash``                      tanh, clip, unit_clip or none: sport_ray.policies.ActionMapping
``action_low``, ``action_high`` (D,) bounds; without them tanh gives [−1, 1]
``obs_mean``, ``obs_var``, …    optional: see sport_ray.adapters.normalization, each with ``obs_``
==============================  =====================================================

A policy over indices (Discrete, MultiDiscrete) has, beside the hidden layers and ``obs_…``:

==============================  =====================================================
``format``                      the string "sport-ray/mlp-categorical/1"
``sizes``                       (K,) whole numbers: how many values n_i each index has
``first``                       (K,) whole numbers, optional: the first values; 0 without
``logits_weight``, ``…_bias``   (Σ n_i, last), (Σ n_i,) float32: the log weights, side by side
==============================  =====================================================
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.adapters.clean_sac import is_clean_sac, read_clean_sac
from sport_ray.adapters.normalization import normalization_from_arrays, read_npz_file
from sport_ray.adapters.parts import LARGEST_LOG_STD, Actor, Linear
from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping, Squash
from sport_ray.policies.network import ACTIVATIONS, PolicyNetwork

FORMAT = "sport-ray/mlp-gaussian/1"
CATEGORICAL = "sport-ray/mlp-categorical/1"
SQUASHES = tuple(one for one in get_args(Squash) if one != "index")
LOGITS = {"format", "activation", "sizes", "first", "logits_weight", "logits_bias"}
HEADS = {
    "format", "activation", "mean_weight", "mean_bias", "log_std", "log_std_weight",
    "log_std_bias", "log_std_min", "log_std_max", "squash", "action_low", "action_high",
}  # fmt: skip

Arrays = dict[str, NDArray[Any]]


def read_npz(path: Path) -> PolicyNetwork:
    """The policy in a file of this layout, or of that of :mod:`sport_ray.adapters.clean_sac`.

    Raises:
        UserError: an array that is missing, unknown or of another shape, or weights that are not
            finite float32 numbers.
    """
    source = str(path)
    arrays = read_npz_file(Path(path))
    if is_clean_sac(arrays):
        return read_clean_sac(source, arrays)
    form = str(arrays.get("format"))
    if form not in (FORMAT, CATEGORICAL):
        raise UserError(f"{source}: expected the string format = {FORMAT!r} or {CATEGORICAL!r}")
    statistics = {name: value for name, value in arrays.items() if name.startswith("obs_")}
    hidden = {n: v for n, v in arrays.items() if re.fullmatch(r"(weight|bias)_(0|[1-9]\d*)", n)}
    heads = HEADS if form == FORMAT else LOGITS
    for name in sorted(set(arrays) - set(statistics) - set(hidden) - heads):
        raise UserError(f"{source}: unknown array {name!r}")
    depth = len(hidden) // 2
    layers = tuple(_linear(source, arrays, f"weight_{i}", f"bias_{i}") for i in range(depth))
    if len(hidden) != 2 * depth:
        raise UserError(f"{source}: hidden layers must be weight_0, bias_0, weight_1, bias_1, …")
    return Actor(
        hidden=layers,
        activation=_word(source, arrays, "activation", tuple(ACTIVATIONS)) if depth else None,
        normalization=(
            normalization_from_arrays(
                source, {name.removeprefix("obs_"): value for name, value in statistics.items()}
            )
            if statistics
            else None
        ),
        **(_gaussian(source, arrays) if form == FORMAT else _categorical(source, arrays)),
    ).network(source)


def _gaussian(source: str, arrays: Arrays) -> dict[str, Any]:
    if ("log_std" in arrays) == ("log_std_weight" in arrays):
        raise UserError(f"{source}: expected log_std, or log_std_weight with log_std_bias")
    if "log_std" in arrays and "log_std_bias" in arrays:
        raise UserError(f"{source}: log_std_bias is for log_std_weight; remove it or log_std")
    return {
        "last": _linear(source, arrays, "mean_weight", "mean_bias"),
        "log_std": (
            _float32(source, arrays, "log_std")
            if "log_std" in arrays
            else _linear(source, arrays, "log_std_weight", "log_std_bias")
        ),
        "log_std_range": _range(source, arrays),
        "squash": _word(source, arrays, "squash", SQUASHES),
        "action_low": _bound(source, arrays, "action_low"),
        "action_high": _bound(source, arrays, "action_high"),
    }


def _categorical(source: str, arrays: Arrays) -> dict[str, Any]:
    sizes = _whole(source, arrays, "sizes")
    first = _whole(source, arrays, "first") if "first" in arrays else [0] * len(sizes)
    if len(first) != len(sizes) or not sizes or min(sizes) < 1:
        raise UserError(f"{source}: sizes must be positive, and first as many numbers")
    last = _linear(source, arrays, "logits_weight", "logits_bias")
    return {"last": last, **ActionMapping.of_indices(first, sizes).to_json()}


def _whole(source: str, arrays: Arrays, name: str) -> list[int]:
    value = arrays.get(name)
    if value is None or value.ndim != 1 or value.dtype.kind not in "iu":
        raise UserError(f"{source}: {name} must be a vector of whole numbers")
    found: list[int] = value.tolist()
    return found


def _linear(source: str, arrays: Arrays, weight: str, bias: str) -> Linear:
    return _float32(source, arrays, weight), _float32(source, arrays, bias)


def _float32(source: str, arrays: Arrays, name: str) -> Tensor:
    if name not in arrays:
        raise UserError(f"{source}: the array {name!r} is missing")
    if arrays[name].dtype != np.float32:
        raise UserError(
            f"{source}: {name} is {arrays[name].dtype}, expected float32: cast it yourself"
        )
    return torch.from_numpy(arrays[name])


def _word(source: str, arrays: Arrays, name: str, known: tuple[str, ...]) -> str:
    found = str(arrays[name]) if name in arrays else None
    if found not in known:
        raise UserError(f"{source}: {name} is {found!r}; expected one of {', '.join(known)}")
    return found


def _bound(source: str, arrays: Arrays, name: str) -> tuple[float, ...] | None:
    if name not in arrays:
        return None
    if arrays[name].ndim != 1 or arrays[name].dtype.kind != "f":
        raise UserError(f"{source}: {name} must be a vector of floats")
    return tuple(arrays[name].astype(np.float64).tolist())


def _range(source: str, arrays: Arrays) -> tuple[float, float] | None:
    names = ("log_std_min", "log_std_max")
    given = [name for name in names if name in arrays]
    if not given:
        return None if "log_std" in arrays else (-LARGEST_LOG_STD, LARGEST_LOG_STD)
    if len(given) == 1:
        raise UserError(f"{source}: log_std_min and log_std_max belong together")
    try:
        low, high = (float(arrays[name]) for name in names)
    except (TypeError, ValueError):
        raise UserError(f"{source}: log_std_min and log_std_max must be numbers") from None
    return low, high
