"""Writing a bundle: copies of what was certified and evaluated, and the manifest over them."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from sport_ray.canonical import digest, readable_json, write_atomic
from sport_ray.certificates import Certificate, load_certificate
from sport_ray.constraints import Constraint
from sport_ray.deploy.bundle import read_bundle
from sport_ray.deploy.bundle_files import CERTIFICATE, MANIFEST, POLICY_FILES, SCHEMA
from sport_ray.deploy.promise import promise_of
from sport_ray.deploy.world import require_near
from sport_ray.envs.making import make_environment
from sport_ray.errors import UserError
from sport_ray.policies import load_policy
from sport_ray.versions import versions


@dataclass(frozen=True)
class Export:
    """What a bundle is made of.

    base, task: folders of policies. certificate: the file; its table and signature beside it are
    taken along. env_kwargs: of the world that the policy is for: the certificate's, or one within
    the ratios α_μ, α_p of it. source: where it came from. evidence: what its evaluation found.
    """

    base: Path
    task: Path
    certificate: Path
    constraint: Constraint
    horizon: int
    env_kwargs: dict[str, Any]
    alpha_mu: float
    alpha_p: float
    source: dict[str, Any]
    evidence: dict[str, Any]


def write_bundle(out: Path, export: Export) -> str:
    """Write the folder, read it again as a user would, and return its digest.

    Raises:
        UserError: a constraint or policy that cannot be deployed, a promise of 1 or more, or a
            folder that is there already.
    """
    out = Path(out)
    if out.exists():
        raise UserError(f"folder {out} exists already: choose another with --out")
    certificate = load_certificate(export.certificate)
    ratios = export.alpha_mu, export.alpha_p
    promise = promise_of(certificate, export.constraint, export.horizon, *ratios)
    require_near(certificate.env_id, certificate.env_kwargs, export.env_kwargs, *ratios)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp")
    try:
        manifest = _write_files(temporary, export, certificate, promise)
        manifest["digest"] = digest(manifest)
        write_atomic(temporary / MANIFEST, readable_json(manifest))
        read_bundle(temporary)
        os.rename(temporary, out)  # whole, or not at all
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(manifest["digest"])


def _write_files(
    folder: Path, export: Export, certificate: Certificate, promise: dict[str, Any]
) -> dict[str, Any]:
    """Copy the files; the manifest without its digest."""
    copied = {
        f"{who}/{name}": source / name
        for who, source in (("base", export.base), ("task", export.task))
        for name in POLICY_FILES
    }
    copied[CERTIFICATE] = export.certificate
    beside = (f"{export.certificate.name}.sig", certificate.outcomes.file)
    for name, target in zip(beside, (f"{CERTIFICATE}.sig", beside[1]), strict=True):
        if (path := export.certificate.with_name(name)).is_file():
            copied[target] = path
    files = {}
    for name, path in copied.items():
        data = path.read_bytes()
        write_atomic(folder / name, data)
        files[name] = hashlib.sha256(data).hexdigest()
    return {
        "schema": SCHEMA,
        "horizon": export.horizon,
        "constraint": export.constraint.to_json(),
        "property": certificate.property,
        "base": {"digest": load_policy(export.base).digest},
        "task": {"digest": load_policy(export.task).digest},
        "certificate": {"digest": certificate.digest},
        "spaces": _spaces(certificate, export),
        "world": {
            "env_id": certificate.env_id,
            "env_kwargs": export.env_kwargs,
            "max_episode_steps": certificate.max_horizon,
        },
        "promise": promise,
        "source": export.source,
        "evidence": export.evidence,
        "versions": versions(),
        "files": files,
    }


def _spaces(certificate: Certificate, export: Export) -> dict[str, Any]:
    """Shapes, types and bounds of what goes in and out, of the environment as it was certified."""
    env_id = certificate.env_id
    environment = make_environment(env_id, export.env_kwargs, certificate.max_horizon)
    found = {}
    for name in ("observation", "action"):
        space = getattr(environment, f"{name}_space")
        if not isinstance(space, gymnasium.spaces.Box):
            raise UserError(f"environment {env_id!r} has {name}s of the kind {space}: expected Box")
        found[name] = {
            "shape": list(space.shape),
            "dtype": np.dtype(space.dtype).name,
            "low": [float(x) if abs(x) < float("inf") else None for x in space.low.ravel()],
            "high": [float(x) if abs(x) < float("inf") else None for x in space.high.ravel()],
        }
    environment.close()
    return found
