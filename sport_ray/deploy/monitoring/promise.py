"""What is promised of every episode of a bundle, and what that promise rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sport_ray.bounds import ratio_bound
from sport_ray.canonical import digest
from sport_ray.deploy.bundle import Bundle, read_bundle
from sport_ray.deploy.from_data import LIMIT
from sport_ray.deploy.policy import DeployedPolicy

Probability = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=4000)]


class Promise(BaseModel):
    """Each episode, whatever went before, violates with probability at most ``bound``.

    bound: b. beta: probability that the promise is untrue. rests_on: name of the event that it
    fails on. Promises of one name fail together, so all of them cost one β: those that follow
    from one certificate's ε_base alone. bundle: its digest. env_id, property: of what it speaks.
    statement: in words.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    bound: Probability
    beta: Probability
    rests_on: Text
    bundle: Text
    env_id: Text
    property: Text
    statement: Text


def promise_in(bundle: Bundle | DeployedPolicy | Path | str | Promise) -> Promise:
    """The promise of a bundle, or of the folder that it is in.

    Promises that follow from ε_base alone (``Constraint.simultaneous``) rest on the certificate:
    they hold for every policy at once. Each other is a claim of its own: one from counts for its
    constraint and T, a limit chosen from data for its list up to this policy.

    Raises:
        UserError: a folder that holds no bundle, or one that does not hold together.
    """
    if isinstance(bundle, Promise):
        return bundle
    bundle = _opened(bundle)
    manifest, promise = bundle.manifest, bundle.promise
    rests_on = f"certificate {manifest['certificate']['digest']}"
    if LIMIT in manifest:
        rests_on = f"{rests_on}, list {digest(manifest[LIMIT])}"
    elif not type(bundle.constraint).simultaneous:
        own = digest([manifest["constraint"], bundle.horizon])
        rests_on = f"{rests_on}, constraint {own}"
    return Promise(
        bound=promise["bound"], beta=promise["beta"], rests_on=rests_on, bundle=bundle.digest,
        env_id=manifest["world"]["env_id"], property=manifest["property"],
        statement=promise["statement"],
    )  # fmt: skip


def base_promise(bundle: Bundle | DeployedPolicy | Path | str) -> Promise:
    """What is promised of the base itself in a bundle's world: α_μ α_p^T ε_base(T).

    For a monitor of base episodes. It is the lowest of all promises, so a world that has changed
    refutes it soonest.

    Raises:
        UserError: as :func:`promise_in`.
    """
    bundle = _opened(bundle)
    manifest, promise, beta = bundle.manifest, bundle.promise, bundle.certificate_beta
    assert beta is not None  # of a bundle that was read
    ratios = {"alpha_mu": promise["alpha_mu"], "alpha_p": promise["alpha_p"]}
    bound = ratio_bound(promise["eps_base"], 1.0, bundle.horizon, **ratios)
    return Promise(
        bound=bound, beta=beta,
        rests_on=f"certificate {manifest['certificate']['digest']}",
        bundle=f"base of {bundle.digest}", env_id=manifest["world"]["env_id"],
        property=manifest["property"],
        statement=f"P(one episode of the base violates {manifest['property']!r} within "
        f"{bundle.horizon} steps) ≤ {bound!r}, with confidence 1 − {beta:g}",
    )  # fmt: skip


def _opened(bundle: Bundle | DeployedPolicy | Path | str) -> Bundle:
    if isinstance(bundle, DeployedPolicy):
        return bundle.bundle
    return bundle if isinstance(bundle, Bundle) else read_bundle(Path(bundle))
