"""A bundle on disk: policies, constraint and certificate in a folder, bound by sha256; no pickle.

manifest.json                the chain, and the sha256 of every other file
base/, task/                 policy.json and policy.safetensors each
certificate.json (.sig)      as certified
certificate_outcomes.parquet its table, for `sport-ray verify`
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.canonical import canonical_json, digest
from sport_ray.deploy.bundle_files import (
    CERTIFICATE,
    MANIFEST,
    REQUIRED,
    read_file,
    read_manifest,
)
from sport_ray.deploy.observations import Bounds
from sport_ray.deploy.promise import (
    THEOREMS,
    certified_eps_base,
    read_certificate,
    require_promise,
    require_violation_time,
    require_world,
    statement,
)
from sport_ray.deploy.rules import Rule, rule_from_json
from sport_ray.deploy.tensors import read_tensors
from sport_ray.errors import UserError
from sport_ray.policies.heads import ToAction
from sport_ray.policies.row import RowPolicy
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
    base: RowPolicy
    task: RowPolicy | None
    rule: Rule
    to_action: ToAction
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

    def action(self, drawn: NDArray[np.float64]) -> NDArray[Any]:
        """What ``step`` is given for a sample (D,): a fresh array of the action space's dtype.

        Raises:
            ArithmeticError: an action that has no finite number there.
        """
        action, largest = self.to_action(drawn), _LARGEST[self.dtype]
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
        return _assemble(folder, manifest, base_only)
    except UserError as error:
        raise type(error)(f"bundle {folder}: {error}") from None
    except (
        KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError
    ) as error:  # fmt: skip
        raise UserError(f"bundle {folder} is not valid: {plain(repr(error))[:300]}") from None


def _assemble(folder: Path, manifest: dict[str, Any], base_only: bool) -> Bundle:
    damage = None
    contents: dict[str, bytes] = {}
    for name, expected in manifest["files"].items():
        try:
            contents[name] = read_file(folder, name, expected)
        except UserError as error:
            if not (base_only and name.startswith("task/")):
                raise
            damage = str(error)
    for name in REQUIRED:
        if name not in manifest["files"]:
            raise UserError(f"{name} is not in its {MANIFEST}")
    certificate = read_certificate(contents[CERTIFICATE])
    base_digest, base_spec, base = _policy(contents, "base")
    _require_same_architecture(manifest, "base", base_spec)
    if not base_digest == certificate["base_digest"] == manifest["base"]["digest"]:
        raise UserError("the base policy is not the one that was certified")
    world, horizon = manifest["world"], manifest["horizon"]
    if type(horizon) is not int:
        raise UserError(f"horizon {horizon!r} is not a number of steps")
    if certificate["digest"] != manifest["certificate"]["digest"]:
        raise UserError("the certificate is not the one that the manifest names")
    for mine, its in (("env_id", "env_id"), ("certified_kwargs", "env_kwargs")):
        if canonical_json(world[mine]) != canonical_json(certificate[its]):
            raise UserError(f"the certificate is for another {its}")
    if manifest["property"] != certificate["property"]:
        raise UserError("the certificate is for another property")
    promise = manifest["promise"]
    eps_base = certified_eps_base(certificate, horizon)
    if promise["eps_base"] != eps_base or promise["beta"] != certificate["beta"]:
        raise UserError("the promise states another ε_base or β than the certificate")
    rule = rule_from_json(manifest["constraint"])
    require_promise(manifest["constraint"], eps_base, horizon, promise)
    require_world(certificate, world["env_kwargs"], promise)
    name = manifest["constraint"]["name"]
    if name == "violation_time":
        require_violation_time(certificate, manifest["constraint"]["alpha"], horizon, promise)
    said = statement(certificate["property"], horizon, promise["bound"], certificate["beta"])
    if promise["statement"] != said or promise["theorem"] != THEOREMS[name]:
        raise UserError("the promise in words is not the one in numbers")
    spaces = manifest["spaces"]
    if spaces["action"]["dtype"] not in _DTYPES:
        raise UserError("actions are floats: a rounding to others was not certified")
    bounds = Bounds.of_json(spaces["observation"], base.observation_size)
    _require_runs(base)
    task = None
    if damage is None:
        task_digest, task_spec, task = _policy(contents, "task")
        if task_digest != manifest["task"]["digest"]:
            raise UserError("the task policy is not the one that the manifest names")
        _require_same_architecture(manifest, "task", task_spec)
        _require_same_actions(base_spec, task_spec)
        _require_runs(task)
        seen = task.observation_size - base.observation_size
        if seen not in (0, rule.features):
            raise UserError(f"the task policy sees {seen} entries more than the base policy")
    return Bundle(
        manifest, base.seal(), None if task is None else task.seal(), rule,
        ToAction(base_spec).seal(), horizon, bounds, _DTYPES[spaces["action"]["dtype"]], damage,
    )  # fmt: skip


def _policy(contents: dict[str, bytes], who: str) -> tuple[str, dict[str, Any], RowPolicy]:
    """A policy's digest, architecture and network, from its two files."""
    document: dict[str, Any] = json.loads(contents[f"{who}/policy.json"])
    weights = contents[f"{who}/policy.safetensors"]
    identity = {key: document[key] for key in ("schema", "spec", "weights_sha256")}
    if digest(identity) != document["digest"] or identity["schema"] != "sport-ray/policy/1":
        raise UserError(f"{who}/policy.json was altered: its digest does not match its content")
    if hashlib.sha256(weights).hexdigest() != identity["weights_sha256"]:
        raise UserError(f"{who}/policy.safetensors is not the file that policy.json names")
    return document["digest"], document["spec"], RowPolicy(document["spec"], read_tensors(weights))


def _require_same_architecture(manifest: dict[str, Any], who: str, spec: dict[str, Any]) -> None:
    """Refuse a manifest that describes another architecture than the policy's own file."""
    if canonical_json(manifest[who]["spec"]) != canonical_json(spec):
        raise UserError(f"{MANIFEST} describes another {who} policy than {who}/policy.json")


def _require_runs(policy: RowPolicy) -> None:
    """Parts that do not fit each other raise a ValueError now, not in the middle of an episode."""
    with contextlib.suppress(ArithmeticError):
        policy.distribution(np.zeros(policy.observation_size))


def _require_same_actions(base: dict[str, Any], task: dict[str, Any]) -> None:
    for name in ("action_size", "squash", "action_low", "action_high"):
        if base.get(name) != task.get(name):
            raise UserError(f"base and task policy differ in {name}")
