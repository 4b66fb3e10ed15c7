"""A base policy on disk: the weights of a Gaussian, or the name of a user's sampler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from sport_ray.canonical import digest, write_json
from sport_ray.errors import UserError
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.store import PolicyFile, load_policy
from sport_ray.samplers.policy import PolicySampler
from sport_ray.samplers.sampler import BaseSampler
from sport_ray.samplers.user import SamplerSpec, UserSampler
from sport_ray.untrusted_files import read_bytes

SCHEMA = "sport-ray/sampler/1"
SAMPLER = "sampler.json"
LARGEST = 2**24
"""Bytes."""


class SamplerFile(NamedTuple):
    """A user's sampler read from disk: how to find it, its digest and how it was made."""

    spec: SamplerSpec
    digest: str
    provenance: dict[str, Any]

    def require_unchanged(self) -> None:
        """Refuse where the user's code is not what the digest covers.

        Raises:
            UserError: naming the file.
        """
        from sport_ray.sources import changed_sources  # a deployed Gaussian does without

        if changed := changed_sources(self.spec.code):
            raise UserError(
                f"base sampler {self.spec.entry!r}: {'; '.join(changed.values())}; restore it, or "
                "choose another folder with --results and certify anew"
            )


BaseFile = PolicyFile | SamplerFile


def base_digest(spec: SamplerSpec) -> str:
    """sha256 (hex) over the entry, its arguments, sizes and code."""
    return digest(_identity(spec))


def _identity(spec: SamplerSpec) -> dict[str, Any]:
    return {"schema": SCHEMA, "spec": spec.model_dump(mode="json")}


def save_sampler(folder: Path, spec: SamplerSpec, provenance: dict[str, Any]) -> str:
    """Write ``sampler.json`` into a folder; return the digest."""
    found = base_digest(spec)
    manifest = {**_identity(spec), "digest": found, "provenance": provenance}
    write_json(Path(folder) / SAMPLER, manifest)
    return found


def read_base(folder: Path) -> BaseFile:
    """The base policy in a folder, checked; no code of a user's is run.

    Raises:
        UserError: nothing there, or anything that does not match, naming the file.
    """
    path = Path(folder) / SAMPLER
    if not path.is_file():
        return load_policy(folder)
    try:
        data = read_bytes(path, LARGEST)
    except (ValueError, OSError) as error:
        raise UserError(f"sampler file {path} is damaged: {error!r}") from None
    return sampler_from_bytes(data, path)


def sampler_from_bytes(data: bytes, path: Path) -> SamplerFile:
    """The sampler that a file's bytes name, checked; ``path`` is where errors say they are.

    Raises:
        UserError: anything that does not match.
    """
    try:
        manifest = json.loads(data)
        schema, claimed = manifest["schema"], manifest["digest"]
        provenance = dict(manifest.get("provenance", {}))
        spec = SamplerSpec.model_validate(manifest["spec"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else repr(error)
        raise UserError(f"sampler file {path} is damaged: {reason}") from None
    if schema != SCHEMA:
        raise UserError(f"sampler file {path} has schema {schema!r}, expected {SCHEMA!r}")
    if base_digest(spec) != claimed:
        raise UserError(f"sampler file {path} is damaged: its digest does not match")
    return SamplerFile(spec, claimed, provenance)


def sampler_of(base: BaseFile, *, run_module: bool = False) -> BaseSampler:
    """What draws the base's actions; run_module as for ``UserSampler``.

    Raises:
        UserError: a user's code that has changed, or that is not to be run.
    """
    if isinstance(base, PolicyFile):
        return PolicySampler(FrozenPolicy(base.network))
    base.require_unchanged()
    return UserSampler(base.spec, run_module=run_module)
