"""Check a whole bundle: every file, the certificate in it, and the promise that follows from it.

No environment is made, and no module that the bundle names is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sport_ray.bounds import scenario_bound, scenario_lower_bound
from sport_ray.certificates import Certificate, load_certificate
from sport_ray.certificates.promise import REFUTATION_LEVEL
from sport_ray.certificates.verify import Check, verify_certificate
from sport_ray.deploy.bundle import constraint_of, read_bundle, selection_of
from sport_ray.deploy.bundle_files import (
    CERTIFICATE,
    MANIFEST,
    read_file,
    read_manifest,
    required,
    task_folders,
)
from sport_ray.deploy.from_data import from_data_of
from sport_ray.deploy.promise import require_promise
from sport_ray.deploy.world import require_near
from sport_ray.digits import rounded_up
from sport_ray.errors import UserError
from sport_ray.samplers import SamplerFile, read_base
from sport_ray.sources import source_file
from sport_ray.text import plain
from sport_ray.versions import versions

LATER = {f"{CERTIFICATE}.sig"}
"""What may be there although no manifest names it: a signature, which is made afterwards."""
_WRONG = (
    UserError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    OSError,
)  # fmt: skip


def verify_bundle(path: Path, *, trust: Collection[str] = ()) -> list[Check]:
    """Check everything that a bundle's promise rests on, from the manifest to the outcome table.

    Manifest (its digest, byte for byte), every file's sha256 (missing is told from altered), files
    that nobody names, that all fits together and can be loaded, the certificate's own checks
    (recounted from its table where that is in the bundle), the promise recomputed from
    certificate, constraint and world, and the evidence from its counts. What cannot be known from
    the folder is a check that was not made. The code of a user's sampler is compared, never run.

    trust: the module of a constraint of the user's, if it may be imported.
    """
    folder = Path(path)
    manifest, first = _manifest(folder)
    if manifest is None:
        return [first]
    checks = [first, *_files(folder, manifest), _check("loads", lambda: _loads(folder, trust))]
    checks += _sampler(folder)
    checks += _certificate(folder, manifest)
    try:
        certificate = load_certificate(folder / CERTIFICATE)
    except UserError:
        checks += [Check(name, None, "there is no certificate to compute it from")
                   for name in ("promise", "world")]  # fmt: skip
    else:
        checks.append(_check("promise", lambda: _promise(folder, certificate, manifest, trust)))
        checks.append(_world(certificate, manifest))
    checks.append(_evidence(manifest))
    trusted = "observation bounds and type of actions: as the manifest has them"
    return [*checks, Check("spaces", None, trusted), _versions(manifest)]


def _check(name: str, find: Callable[[], str]) -> Check:
    try:
        return Check(name, True, find())
    except _WRONG as error:
        return Check(name, False, _reason(error))


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, UserError | OSError) else f"damaged ({error!r})"
    return plain(text)[:400]


def _manifest(folder: Path) -> tuple[dict[str, Any] | None, Check]:
    try:
        manifest = read_manifest(folder)
    except _WRONG as error:
        return None, Check("manifest", False, _reason(error))
    return manifest, Check("manifest", True, f"as written; digest {manifest['digest'][:16]}…")


def _files(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    named, wrong = manifest["files"], []
    try:
        needed = required(named, task_folders(manifest))
    except (UserError, ValueError) as error:
        needed, wrong = (), [_reason(error)]
    for name in (*needed, *(n for n in named if n not in needed)):
        if name not in named:
            wrong.append(f"{name} is not in {MANIFEST}")
            continue
        try:
            read_file(folder, name, named[name])
        except _WRONG as error:
            wrong.append(_reason(error))
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    more = sorted(plain(name) for name in found - set(named) - {MANIFEST} - LATER)
    return [
        Check("files", not wrong, "; ".join(wrong) or f"sha256 of {len(named)} as the manifest's"),
        Check("nothing else", not more, _listed(more) if more else "no other file is there"),
    ]


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{rest}: not of the bundle, move it elsewhere"


def _loads(folder: Path, trust: Collection[str]) -> str:
    bundle = read_bundle(folder, trust_module=trust)
    return f"policies, certificate, constraint and promise fit together, T = {bundle.horizon}"


def _sampler(folder: Path) -> list[Check]:
    """Whether the code of a user's sampler is here, as it was certified."""
    name = "base code"
    try:
        base = read_base(folder / "base")
    except _WRONG:  # said by the others
        return []
    if not isinstance(base, SamplerFile):
        return []
    missing = [one for one in base.spec.code if source_file(one) is None]
    if missing:
        told = f"{', '.join(missing)} not here: it has to be where the policy acts"
        return [Check(name, None, plain(told)[:400])]
    listed = ", ".join(base.spec.code)
    return [_check(name, lambda: base.require_unchanged() or plain(f"unchanged: {listed}"))]


def _certificate(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """The certificate's own checks; without its table those that need none."""
    path = folder / CERTIFICATE
    if not path.exists():
        return [Check("certificate", False, f"{CERTIFICATE} does not exist")]
    found = verify_certificate(path, base=folder / "base")
    try:
        table = load_certificate(path).outcomes.file
        without = table not in manifest["files"] and not (folder / table).exists()
    except UserError:
        without = False
    if without:
        missing = f"{plain(table)} is not in the bundle: counts are as the certificate states them"
        of_table = ("table file", "table rows", "numbers")
        found = [Check(c.name, None, missing) if c.name in of_table else c for c in found]
    return [Check(f"certificate: {c.name}", c.passed, plain(c.detail)) for c in found]


def _promise(
    folder: Path, certificate: Certificate, manifest: dict[str, Any], trust: Collection[str]
) -> str:
    constraint, horizon = constraint_of(manifest, trust), manifest["horizon"]
    base = read_base(folder / "base")
    selection = selection_of(manifest, base)
    family = None if isinstance(base, SamplerFile) else base.network.spec.family

    def read(name: str) -> bytes:
        return read_file(folder, name, manifest["files"][name])

    chosen = from_data_of(manifest, read, constraint, horizon, certificate)
    bound = require_promise(
        manifest["promise"], certificate, constraint, horizon, selection, family, chosen
    )
    if chosen is not None:
        said = "the ratios in its files are as the bundle states them"
        return f"{bound:.6g} within {horizon} steps: {chosen.theorem}; {said}"
    return f"{bound:.6g} within {horizon} steps: from certificate, {constraint.name} and world"


def _world(certificate: Certificate, manifest: Mapping[str, Any]) -> Check:
    try:
        promise, world = manifest["promise"], manifest["world"]
        how = require_near(
            certificate.env_id, certificate.env_kwargs, world["env_kwargs"],
            promise["alpha_mu"], promise["alpha_p"],
        )  # fmt: skip
    except _WRONG as error:
        return Check("world", False, _reason(error))
    return Check("world", None if "claimed" in how else True, how)


def _evidence(manifest: Mapping[str, Any]) -> Check:
    """The posterior bound of the evaluation from its counts; they themselves are trusted."""
    try:
        found = manifest["evidence"]
        given = [found.get(n) for n in ("num_scenarios", "num_violations", "posterior_beta")]
        if None in given:
            return Check("evidence", None, "the manifest has no counts of an evaluation")
        bound = scenario_bound(*given)
        if not math.isclose(found["posterior_bound"], bound, rel_tol=1e-6):
            raise UserError(
                f"posterior_bound is {found['posterior_bound']}, {given[1]} violations in "
                f"{given[0]} scenarios give {bound:.6g}"
            )
        lowest = scenario_lower_bound(given[0], given[1], REFUTATION_LEVEL)
        if lowest > manifest["promise"]["bound"]:
            raise UserError(
                f"{given[1]} of {given[0]} scenarios violated: the evaluation refutes the promise "
                f"of {manifest['promise']['bound']:.6g}"
            )
    except _WRONG as error:
        return Check("evidence", False, _reason(error))
    said = (
        f"{given[1]} of {given[0]} scenarios violated, as the manifest states: at most "
        f"{rounded_up(bound, 4)} with confidence 1 - {given[2]:g}"
    )
    return Check("evidence", True, said)


def _versions(manifest: Mapping[str, Any]) -> Check:
    """Informative: with other versions a number may differ in its last digits."""
    here, stated = versions(), manifest.get("versions")
    if not isinstance(stated, dict):
        return Check("versions", False, "the manifest has none")
    other = [f"{name} {value}" for name, value in stated.items() if here.get(name) != value]
    if not other:
        return Check("versions", True, "exported with the versions that are installed here")
    listed = plain(", ".join(other))[:300]
    return Check("versions", None, f"exported with others than are installed here: {listed}")
