"""What a deployed policy promises, for a reader: the statement, its theorem, what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.certificates.view import arguments_text
from sport_ray.view import View, at_most

if TYPE_CHECKING:
    from sport_ray.deploy.bundle import Bundle

RESTS_ON = (
    "the world named here: initial states, dynamics and observations are the certificate's, or "
    "within the ratios α_μ and α_p of it",
    "one episode: from reset on at most T actions, each given by act and executed as it is given; "
    "n episodes violate at least once with probability up to n times the bound",
    "fresh draws of the policy, independent of the environment's",
    "the scenarios it was computed from: with probability β they were misleading",
)


def promise_view(bundle: Bundle) -> View:
    """The promise of a bundle in words and numbers, and what it is of."""
    promise, manifest = bundle.promise, bundle.manifest
    world = manifest["world"]
    numbers = ", ".join(
        f"{name} = {value}" for name, value in bundle.constraint.to_json().items() if name != "name"
    )
    return View(
        title="Certified policy",
        sentences=(f"{promise['statement']}.",),
        facts=(
            ("bound", f"{at_most(promise['bound'])}, for T = {bundle.horizon} steps"),
            ("theorem", promise["theorem"]),
            *([("scope", promise["scope"])] if "scope" in promise else []),
            ("constraint", f"{bundle.constraint.name}: {numbers}"),
            ("confidence", f"1 − β, β = {promise['beta']:g}"),
            ("ε_base(T)", at_most(promise["eps_base"])),
            ("world", f"{world['env_id']} {arguments_text(world['env_kwargs'])}"),
            ("ratios", f"α_μ = {promise['alpha_mu']:g}, α_p = {promise['alpha_p']:g}"),
            ("base policy", manifest["base"]["digest"]),
            ("task policy", manifest["task"]["digest"]),
            ("certificate", manifest["certificate"]["digest"]),
            ("bundle", bundle.digest),
        ),
        assumptions=RESTS_ON,
        warning="" if bundle.damage is None else f"the task policy is damaged: {bundle.damage}",
    )
