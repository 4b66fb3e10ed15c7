"""A bundle with another task policy, in the field: the same certificate, constraint and world."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sport_ray.deploy.bundle import read_bundle
from sport_ray.deploy.bundle_files import CERTIFICATE
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.from_data import LIMIT
from sport_ray.errors import UserError


def update_bundle(
    out: str | Path,
    bundle: str | Path,
    task: str | Path,
    *,
    trust_module: str | Collection[str] = (),
) -> str:
    """Write a bundle that differs from another in its task policy alone; return its digest.

    No certificate is made and no environment: ε_base was certified once, and the prior bound
    follows from it and the constraint for *every* task policy, a score that was learned from the
    field's own episodes included (docs/bounds.md, sections 9 and 14). The evaluation of the policy
    before is no evidence of this one and is left out.

    Args:
        out: the new folder. bundle: the old one, which stays.
        task: folder of a policy or a selector, as ``save_policy`` or ``Selector.save`` wrote it.
        trust_module: as for :func:`sport_ray.deploy.load`.

    Raises:
        UserError: a bundle that does not hold together, or whose limit was chosen from data for its
            own policy; a task policy that does not fit it; a folder that is there already.
    """
    folder = Path(bundle)
    whole = read_bundle(folder, trust_module=trust_module)
    manifest, promise = whole.manifest, whole.promise
    if LIMIT in manifest:
        raise UserError(
            f"bundle {folder} is of a policy on a list, whose limit was chosen from data: nothing "
            "is promised of another; export a cell under its prior limit"
        )
    export = Export(
        base=folder / "base",
        task=Path(task),
        certificate=folder / CERTIFICATE,
        constraint=whole.constraint,
        horizon=whole.horizon,
        env_kwargs=manifest["world"]["env_kwargs"],
        alpha_mu=promise["alpha_mu"],
        alpha_p=promise["alpha_p"],
        source={"updated_from": whole.digest},
        evidence={},
    )
    return write_bundle(Path(out), export, manifest["spaces"])
