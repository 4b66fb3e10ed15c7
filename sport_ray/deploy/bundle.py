"""A bundle on disk: policies, constraint and certificate in a folder, bound by sha256; no pickle.

manifest.json                the chain, and the sha256 of every other file
base/, task/                 policy.json and policy.safetensors each
certificate.json (.sig)      as certified
certificate_outcomes.parquet its table, for `sport-ray verify`
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.certificates import Certificate
from sport_ray.certificates.store import certificate_from_bytes
from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.deploy.bundle_files import (
    CERTIFICATE,
    MANIFEST,
    POLICY_FILES,
    REQUIRED,
    read_file,
    read_manifest,
)
from sport_ray.deploy.observations import Bounds
from sport_ray.deploy.promise import require_promise
from sport_ray.deploy.world import require_near
from sport_ray.errors import UserError
from sport_ray.policies import FrozenGaussian
from sport_ray.policies.store import policy_from_bytes
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour
from sport_ray.text import plain

_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
_LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in _DTYPES.values()}


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked; ``task`` is None where only the base is intact.

    Nothing of it can be changed: what acts, and what is promised, stays what was checked.
    """

    _manifest: dict[str, Any]
    base: FrozenGaussian
    task: FrozenGaussian | None
    constraint: Constraint
    horizon: int
    bounds: Bounds
    dtype: np.dtype[Any]
    damage: str | None = None

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the manifest."""
        return copy.deepcopy(self._manifest)

    @property
    def promise(self) -> dict[str, Any]:
        """A copy of what is promised."""
        return copy.deepcopy(self._manifest["promise"])

    @property
    def digest(self) -> str:
        """sha256 (hex) over the manifest, and so over every file."""
        return str(self._manifest["digest"])

    def behaviours(self) -> tuple[BaseBehaviour, ProjectedBehaviour | None]:
        """The base policy and the projected task policy, as evaluations run them."""
        base = BaseBehaviour(self.base)
        if self.task is None:
            return base, None
        return base, ProjectedBehaviour(self.base, self.task, self.constraint)

    def action(self, drawn: NDArray[np.float64]) -> NDArray[Any]:
        """What ``step`` is given for a sample (D,): a fresh array of the action space's dtype.

        Raises:
            ArithmeticError: an action that has no finite number there.
        """
        action, largest = self.base.spec.action_mapping(drawn), _LARGEST[self.dtype]
        if not all(abs(x) <= largest for x in action.tolist()):
            raise ArithmeticError(f"the action is not finite in {self.dtype}")
        return np.array(action, dtype=self.dtype)


def read_bundle(folder: Path, *, expect: str | None = None, base_only: bool = False) -> Bundle:
    """Read a bundle and check all of it: every sha256, the chain of digests, the promise.

    expect: the bundle's digest, known from elsewhere; whoever can rewrite the whole folder can
        compute every digest in it anew, but not make it this one. base_only: where nothing but
        the task policy is damaged, return a bundle without it.

    Raises:
        UserError: anything missing, altered, or that does not fit together, by name.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, expect)
    try:
        with one_thread():  # a forked process may load a bundle
            return _assemble(folder, manifest, base_only)
    except UserError as error:
        raise type(error)(f"bundle {folder}: {plain(error)[:500]}") from None
    except (
        KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError
    ) as error:  # fmt: skip
        raise UserError(f"bundle {folder} is not valid: {plain(repr(error))[:300]}") from None


def _assemble(folder: Path, manifest: dict[str, Any], base_only: bool) -> Bundle:
    contents, damage = _contents(folder, manifest["files"], base_only)
    certificate = certificate_from_bytes(contents[CERTIFICATE], CERTIFICATE)
    base = _policy(contents, "base", manifest)
    world, horizon, promise = (manifest[name] for name in ("world", "horizon", "promise"))
    _require_certified(manifest, certificate)
    if type(horizon) is not int:
        raise UserError(f"horizon {horizon!r} is not a number of steps")
    constraint = constraint_from_json(manifest["constraint"])
    require_promise(promise, certificate, constraint, horizon)
    ratios = promise["alpha_mu"], promise["alpha_p"]
    require_near(certificate.env_id, certificate.env_kwargs, world["env_kwargs"], *ratios)
    if world["max_episode_steps"] != certificate.max_horizon:
        raise UserError(
            f"max_episode_steps is {world['max_episode_steps']!r}, the certificate's environment "
            f"was made for {certificate.max_horizon}"
        )
    spaces = manifest["spaces"]
    if spaces["action"]["dtype"] not in _DTYPES:
        raise UserError("actions are floats: a rounding to others was not certified")
    bounds = Bounds.of_json(spaces["observation"], base.spec.observation_size)
    task = None if damage is not None else _policy(contents, "task", manifest)
    dtype = _DTYPES[spaces["action"]["dtype"]]
    bundle = Bundle(manifest, base, task, constraint, horizon, bounds, dtype, damage)
    bundle.behaviours()  # policies that do not fit each other are refused now
    return bundle


def _contents(
    folder: Path, files: dict[str, str], base_only: bool
) -> tuple[dict[str, bytes], str | None]:
    """The bytes of every file, and what is wrong with the task policy where that is tolerated."""
    damage = None
    contents: dict[str, bytes] = {}
    for name, expected in files.items():
        try:
            contents[name] = read_file(folder, name, expected)
        except UserError as error:
            if not (base_only and name.startswith("task/")):
                raise
            damage = str(error)
    for name in REQUIRED:
        if name not in files:
            raise UserError(f"{name} is not in its {MANIFEST}")
    return contents, damage


def _policy(contents: dict[str, bytes], who: str, manifest: dict[str, Any]) -> FrozenGaussian:
    document, weights = (contents[f"{who}/{name}"] for name in POLICY_FILES)
    found = policy_from_bytes(document, weights, Path(who))
    if found.digest != manifest[who]["digest"]:
        raise UserError(f"the {who} policy is not the one that the manifest names")
    return FrozenGaussian(found.network)


def _require_certified(manifest: dict[str, Any], certificate: Certificate) -> None:
    """Refuse a certificate of something else than the manifest says.

    Raises:
        UserError: says of what.
    """
    for name, mine, its in (
        ("base policy", manifest["base"]["digest"], certificate.base_digest),
        ("environment", manifest["world"]["env_id"], certificate.env_id),
        ("property", manifest["property"], certificate.property),
    ):
        if mine != its:
            raise UserError(f"the certificate is for another {name}: {its!r}, not {mine!r}")
    if manifest["certificate"]["digest"] != certificate.digest:
        raise UserError("the certificate is not the one that the manifest names")
