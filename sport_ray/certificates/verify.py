"""Check a certificate against everything it rests on, trusting no number that can be computed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.recount import CheckFailed, check_bytes, check_numbers, check_rows
from sport_ray.certificates.rerun import choose_again, run_again
from sport_ray.certificates.store import load_certificate
from sport_ray.errors import UserError
from sport_ray.samplers import BaseFile, SamplerFile, read_base
from sport_ray.samplers.base_file import SAMPLER
from sport_ray.sources import OURS, changed_sources, installed_versions, is_named, own_digest
from sport_ray.versions import DEVICE, versions

OF_TABLE = ("table file", "table rows", "numbers", "rerun")


@dataclass(frozen=True)
class Check:
    """One thing that was checked; ``passed`` is None where it could not be.

    missing: it failed because a file is not there, as opposed to one that was altered.
    """

    name: str
    passed: bool | None
    detail: str
    missing: bool = False


def verify_certificate(
    path: Path,
    *,
    base: Path | None = None,
    rerun: int = 0,
    trust: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> list[Check]:
    """Recompute every number of a certificate from its outcome table, and check the table.

    The file must be, byte for byte, what its content and digest make it; the table's bytes and
    numbers must have the digests that it names; counts, bounds, and steps follow from the table;
    the table's own columns must agree with each other; the base policy (in ``base``, by default
    the folder ``base`` or the folder of the certificate) must have the digest that it names; and
    ``rerun`` scenarios, drawn at random, are run again from their seeds and must give the
    same rows to the bit.

    trust: modules that may be run if the certificate's environment (``module:id``) or its base
    sampler (``module:name``) names them. Whoever sends them chooses those names, so without it
    nothing of theirs runs.

    What this cannot find: a table that was made up whole, by someone who also rewrote the
    certificate, unless ``rerun`` covers a forged row; whose work it is says only a signature.
    """
    path = Path(path)
    if not path.exists():
        told = f"certificate {path} does not exist: make one with `sport-ray certify`"
        return [Check("file", False, told, missing=True)]
    try:
        certificate = load_certificate(path)
    except UserError as error:
        return [Check("file", False, str(error))]
    follow = (  # loading it has checked them
        f"{certificate.num_scenarios} scenarios, β = {certificate.beta:g}: bounds at T = 1 … "
        f"{certificate.max_horizon} follow from the counts"
    )
    checks = [
        Check("file", True, f"as written; digest {certificate.digest[:16]}…"),
        Check("bounds", True, follow),
    ]
    table = path.parent / certificate.outcomes.file
    steps: list[tuple[str, Callable[[], str]]] = [
        ("table file", lambda: check_bytes(certificate, table)),
        ("table rows", lambda: check_rows(certificate, table)),
        ("numbers", lambda: check_numbers(certificate, table)),
    ]
    folder = _base_folder(path, base)
    refused = None
    checks_after = []
    if folder is None:
        refused = "the policy is not beside the certificate: name its folder with --base"
        checks_after.append(Check("base policy", None, refused))
    else:
        load = cache(read_base)  # once for all checks; one that fails does so in each
        steps.append(("base policy", lambda: _check_base(certificate, folder, load(folder))))
        stranger = _stranger(certificate.env_id, folder, trust) if rerun else None
        if stranger is not None:
            refused = (
                f"it would run the module {stranger!r}, which {_namer(certificate, stranger)} "
                f"names: read it, and add --trust-module {stranger} if you trust it"
            )
        elif rerun:
            steps.append(
                ("rerun", lambda: run_again(certificate, table, load(folder), rerun, progress))
            )
            if (choice := certificate.choice) is not None:
                steps.append(("choice", lambda: choose_again(certificate, choice, load(folder))))
    if rerun and refused is not None:  # asked for and not possible: no pass
        checks_after.append(Check("rerun", False, refused))
    for name, step in steps:
        try:
            checks.append(Check(name, True, step()))
        except (
            CheckFailed, UserError, ValueError, ArithmeticError, LookupError, RecursionError
        ) as error:  # fmt: skip
            told = " ".join(str(error).split())
            checks.append(Check(name, False, told, missing=name in OF_TABLE and not table.exists()))
    if certificate.choice is not None and (refused is not None or not rerun):
        checks_after.append(Check("choice", None, "trusted, not made again: use --rerun"))
    return [*checks, *checks_after, _code(certificate), _versions(certificate)]


def _stranger(env_id: str, folder: Path, trust: Collection[str]) -> str | None:
    """The first module that a rerun would run and that is not trusted.

    Of the environment, unless it is ours, and of the base's sampler: of ours, too, a file may name
    any function, with any arguments.
    """
    module = env_id.rpartition(":")[0]
    if module and module not in trust and module.partition(".")[0] != OURS:
        return module
    try:
        base = read_base(folder)
    except UserError:  # nothing of it runs; the check of the base policy says why
        return None
    if isinstance(base, SamplerFile) and base.spec.module not in trust:
        return base.spec.module
    return None


def _namer(certificate: Certificate, module: str) -> str:
    of_environment = module == certificate.env_id.rpartition(":")[0]
    return "the certificate" if of_environment else "the base policy's file"


def _check_base(certificate: Certificate, folder: Path, base: BaseFile) -> str:
    found = base.digest
    if found != certificate.base_digest:
        raise CheckFailed(
            f"policy in {folder} has the digest {found[:16]}…, the certificate is for "
            f"{certificate.base_digest[:16]}…"
        )
    what = "sampler has" if isinstance(base, SamplerFile) else "weights have"
    return f"{what} the digest {found[:16]}…"


def _base_folder(path: Path, base: Path | None) -> Path | None:
    folders = (path.parent / "base", path.parent)
    names = ("policy.json", SAMPLER)
    return base or next((f for f in folders if any((f / n).is_file() for n in names)), None)


def _code(certificate: Certificate) -> Check:
    """Whether the files that the certificate names are here, unchanged; of others it says nothing.

    Files are found by the names of their modules and read, never run.
    """
    named = [name for name in certificate.code if name != "sport_ray"]
    other = list(changed_sources(certificate.code).values())
    if certificate.code.get("sport_ray") != own_digest():
        other.append("sport_ray is another version")
    module = certificate.env_id.rpartition(":")[0]
    if module and not is_named(module, certificate.code):
        other.append(f"no source of {module} is named")
    if other:
        return Check("code", None, f"{'; '.join(other)}: --rerun tells whether it matters")
    listed = ", ".join(["sport_ray", *named])
    return Check("code", True, f"unchanged, of the files that it names (no others): {listed}")


def _versions(certificate: Certificate) -> Check:
    """Informative: with other versions a number may differ in its last digits."""
    here = installed_versions(certificate.versions) | versions()
    told = {k: v for k, v in certificate.versions.items() if k != DEVICE}
    other = {k: v for k, v in told.items() if here.get(k) != v}
    if not other:
        return Check("versions", True, "made with the versions that are installed here")
    listed = ", ".join(f"{name} {value}" for name, value in other.items())
    return Check("versions", None, f"made with others than are installed here: {listed}")
