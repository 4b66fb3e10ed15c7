"""Observation statistics from an npz file, which takes two lines to write and no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from sport_ray.errors import UserError
from sport_ray.policies.observations import Normalization
from sport_ray.untrusted_files import read_arrays

SNIPPET = (
    'vn = VecNormalize.load("vecnormalize.pkl", env); np.savez("obs.npz", mean=vn.obs_rms.mean, '
    "var=vn.obs_rms.var, epsilon=vn.epsilon, clip=vn.clip_obs)"
)


def read_npz_file(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file, without pickle.

    Raises:
        UserError: nothing there, not such a file, or one that claims to be very large.
    """
    try:
        return read_arrays(path)
    except FileNotFoundError:
        raise UserError(f"npz file {path} does not exist") from None
    except Exception as error:  # zipfile's, zlib's and numpy's own: damaged in any way
        reason = " ".join(str(error).split())
        raise UserError(f"npz file {path} cannot be read without pickle: {reason}") from None


def read_normalization(path: Path) -> Normalization:
    """Frozen observation statistics: o ↦ clip((o − mean)/scale).

    The file holds ``mean`` (O,), and ``var`` (O,) with ``epsilon`` (scale = √(var + ε), as
    Stable-Baselines3 has it) or ``scale`` (O,); and perhaps ``clip``.

    Raises:
        UserError: a pickle (says how to write an npz instead), or other contents.
    """
    path = Path(path)
    if path.suffix in (".pkl", ".pickle"):
        raise UserError(
            f"{path} is a pickle, which is not read (it could run any code): write an npz where "
            f"you trust it, with: {SNIPPET}"
        )
    return normalization_from_arrays(str(path), read_npz_file(path))


def normalization_from_arrays(source: str, arrays: Mapping[str, NDArray[Any]]) -> Normalization:
    """As :func:`read_normalization`, from arrays by name."""
    known = {"mean", "var", "epsilon", "scale", "clip"}
    for name in sorted(set(arrays) - known):
        raise UserError(f"{source}: unknown array {name!r}; known: {', '.join(sorted(known))}")
    if "mean" not in arrays or ("var" in arrays) == ("scale" in arrays):
        raise UserError(f"{source}: expected the arrays mean, and var (with epsilon) or scale")
    if ("epsilon" in arrays) != ("var" in arrays):
        missing = "missing" if "var" in arrays else "for var, not for scale"
        raise UserError(f"{source}: epsilon is {missing}")
    try:
        clip = float(arrays["clip"]) if "clip" in arrays else None
        if "var" not in arrays:
            centre, scale = (np.asarray(arrays[n], dtype=np.float64) for n in ("mean", "scale"))
            return Normalization(
                mean=tuple(centre.ravel().tolist()), scale=tuple(scale.ravel().tolist()), clip=clip
            )
        epsilon = float(arrays["epsilon"])
        return Normalization.from_variance(arrays["mean"], arrays["var"], epsilon, clip)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "normalisation"
        raise UserError(f"{source}: {where}: {problem['msg']}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{source}: {' '.join(str(error).split())}") from None
