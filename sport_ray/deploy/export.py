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
from sport_ray.comparators.simplex import Switch
from sport_ray.constraints import Constraint
from sport_ray.constraints.mixture import Mixture
from sport_ray.deploy.bundle import read_bundle
from sport_ray.deploy.bundle_files import (
    CERTIFICATE,
    CODE,
    MANIFEST,
    PARTS,
    POLICY_FILES,
    SAMPLER_FILES,
    SCHEMA,
    SELECTOR_FILES,
)
from sport_ray.deploy.from_data import LIMIT, evidence_name, from_data_of
from sport_ray.deploy.promise import How, Parts, Selection, promise_of
from sport_ray.deploy.world import require_near
from sport_ray.envs.making import make_environment
from sport_ray.envs.spaces import indices_of
from sport_ray.errors import UserError
from sport_ray.plugins import code_of
from sport_ray.samplers import BaseFile, SamplerFile, read_base
from sport_ray.selection import Selector, load_task_policy
from sport_ray.selection.task_policy import TaskPolicyFile
from sport_ray.versions import versions


@dataclass(frozen=True)
class Export:
    """What a bundle is made of.

    base: folder of a policy or a sampler; task: of a policy or a selector, of a mixture one folder
    for each part. certificate: the file; its table and signature beside it are taken along.
    env_kwargs: of the world that the policy is
    for: the certificate's, or one within the ratios α_μ, α_p of it. source: where it came from.
    evidence: what its evaluation found. limit: of a limit that scenarios of the base chose: the
    list as the manifest has it; tests: the file of each of its members' tests, in order.
    """

    base: Path
    task: Path | tuple[Path, ...]
    certificate: Path
    constraint: Constraint | Mixture
    horizon: int
    env_kwargs: dict[str, Any]
    alpha_mu: float
    alpha_p: float
    source: dict[str, Any]
    evidence: dict[str, Any]
    limit: dict[str, Any] | None = None
    tests: tuple[Path, ...] = ()

    @property
    def tasks(self) -> dict[str, Path]:
        """The folders of task policies by their names in the bundle."""
        if isinstance(self.task, Path):
            return {"task": self.task}
        return {f"task/{number}": folder for number, folder in enumerate(self.task)}


def write_bundle(out: Path, export: Export, spaces: dict[str, Any] | None = None) -> str:
    """Write the folder, read it again as a user would, and return its digest.

    spaces: as another bundle of that world states them; by default its environment is made.

    Raises:
        UserError: a constraint or policy that cannot be deployed, a promise of 1 or more, or a
            folder that is there already.
    """
    out = Path(out)
    if out.exists():
        raise UserError(f"folder {out} exists already: choose another with --out")
    certificate = load_certificate(export.certificate)
    base = read_base(export.base)
    if isinstance(base, SamplerFile):
        base.require_unchanged()
    tasks = {name: load_task_policy(folder) for name, folder in export.tasks.items()}
    if any(isinstance(task.policy, Switch) for task in tasks.values()):
        raise UserError(
            "a Simplex switch promises nothing, so it cannot be exported: name a cell whose policy "
            "is held to a constraint"
        )
    parts = [_about(task) for task in tasks.values()]
    selections = tuple(_selection(task, base) for task in tasks.values())
    mixed = not isinstance(export.task, Path)
    about = {"digest": digest(parts), PARTS: parts} if mixed else parts[0]
    selection: How = Parts(selections) if mixed else selections[0]
    ratios = export.alpha_mu, export.alpha_p
    family = None if isinstance(base, SamplerFile) else base.network.spec.family
    about_limit = {} if export.limit is None else {LIMIT: export.limit}
    manifest: dict[str, Any] = {
        **_described(export, certificate, spaces),
        **about_limit,
        "task": about,
        "promise": {"alpha_mu": export.alpha_mu, "alpha_p": export.alpha_p},
    }
    promise = promise_of(
        certificate,
        export.constraint,
        export.horizon,
        *ratios,
        selection,
        family,
        from_data_of(
            manifest,
            lambda name: export.tests[int(Path(name).stem) - 1].read_bytes(),
            export.constraint,
            export.horizon,
            certificate,
        ),
    )
    require_near(certificate.env_id, certificate.env_kwargs, export.env_kwargs, *ratios)
    out.parent.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, tuple[str, ...]] = {
        "base": SAMPLER_FILES if isinstance(base, SamplerFile) else POLICY_FILES,
        **{
            name: SELECTOR_FILES if isinstance(task.policy, Selector) else POLICY_FILES
            for name, task in tasks.items()
        },
    }
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp")
    try:
        manifest |= {
            "base": {"digest": base.digest},
            "promise": promise,
            "files": _write_files(temporary, export, certificate, kinds),
        }
        manifest["digest"] = digest(manifest)
        write_atomic(temporary / MANIFEST, readable_json(manifest))
        read_bundle(temporary)
        os.rename(temporary, out)  # whole, or not at all
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(manifest["digest"])


def _about(task: TaskPolicyFile) -> dict[str, Any]:
    """What a manifest says of a task policy."""
    about: dict[str, Any] = {"digest": task.digest}
    if isinstance(task.policy, Selector):
        about["num_candidates"] = task.policy.num_candidates
    return about


def _selection(task: TaskPolicyFile, base: BaseFile) -> Selection | None:
    """How it chooses among candidates; None where it is a policy itself."""
    if not isinstance(task.policy, Selector):
        return None
    return Selection.around(task.policy.num_candidates, base)


def _write_files(
    folder: Path, export: Export, certificate: Certificate, kinds: dict[str, tuple[str, ...]]
) -> dict[str, str]:
    """Copy the files; the sha256 of each. kinds: the files of base and of task policy."""
    copied = {
        f"{who}/{name}": source / name
        for who, source in {"base": export.base, **export.tasks}.items()
        for name in kinds[who]
    }
    copied[CERTIFICATE] = export.certificate
    beside = (f"{export.certificate.name}.sig", certificate.outcomes.file)
    for name, target in zip(beside, (f"{CERTIFICATE}.sig", beside[1]), strict=True):
        if (path := export.certificate.with_name(name)).is_file():
            copied[target] = path
    copied |= {evidence_name(rank): path for rank, path in enumerate(export.tests, start=1)}
    files = {}
    for name, path in copied.items():
        data = path.read_bytes()
        write_atomic(folder / name, data)
        files[name] = hashlib.sha256(data).hexdigest()
    return files


def _described(
    export: Export, certificate: Certificate, spaces: dict[str, Any] | None
) -> dict[str, Any]:
    """What a manifest says of the study, the certificate and the world."""
    return {
        "schema": SCHEMA,
        "horizon": export.horizon,
        "constraint": export.constraint.to_json(),
        **_code_of(export.constraint),
        "property": certificate.property,
        "certificate": {"digest": certificate.digest},
        "spaces": _spaces(certificate, export) if spaces is None else spaces,
        "world": {
            "env_id": certificate.env_id,
            "env_kwargs": export.env_kwargs,
            "max_episode_steps": certificate.max_horizon,
        },
        "source": export.source,
        "evidence": export.evidence,
        "versions": versions(),
    }


def _code_of(constraint: Constraint | Mixture) -> dict[str, Any]:
    """The code of a constraint that does not ship, which its promise rests on."""
    code = code_of(constraint.name)
    return {CODE: code} if code else {}


def _spaces(certificate: Certificate, export: Export) -> dict[str, Any]:
    """Shapes, types and bounds of what goes in and out, of the environment as it was certified."""
    env_id = certificate.env_id
    environment = make_environment(env_id, export.env_kwargs, certificate.max_horizon)
    found: dict[str, Any] = {}
    for name in ("observation", "action"):
        space = getattr(environment, f"{name}_space")
        if name == "action" and (indices := indices_of(space)) is not None:
            found[name] = {
                "shape": list(space.shape),
                "dtype": np.dtype(space.dtype).name,
                "low": indices[0],
                "high": [one + size - 1 for one, size in zip(*indices, strict=True)],
            }
            continue
        if not isinstance(space, gymnasium.spaces.Box):
            raise UserError(f"environment {env_id!r} has {name}s of the kind {space}: expected Box")
        found[name] = {
            "shape": list(space.shape),
            "dtype": np.dtype(space.dtype).name,
            "low": [float(x) if abs(x) < float("inf") else None for x in space.low.ravel()],
            "high": [float(x) if abs(x) < float("inf") else None for x in space.high.ravel()],
        }
    if (flattening := environment.flattening) is not None:
        found["observation"]["flattening"] = flattening.model_dump(mode="json")
    environment.close()
    return found
