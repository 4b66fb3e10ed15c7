"""What a certificate says, for a reader: claim, theorem, confidence and assumptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sport_ray.view import Table, View, at_least, at_most

if TYPE_CHECKING:
    from sport_ray.certificates.certificate import Certificate

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Horizons of the table, as far as there are such; the last one of a certificate beside them."""
THEOREMS = {
    "fixed": "exact binomial (Clopper–Pearson) bound for k violations in N scenarios",
    "anytime": "any-time valid bound for k violations in N scenarios, N by a stopping rule",
}
"""By the rule of sampling."""
_PROOFS = {"fixed": "docs/bounds.md, section 1", "anytime": "docs/bounds.md, section 2"}
MADE_WITH = ("sport-ray", "python", "gymnasium", "numpy", "torch")
"""Of the versions on record, those that a reader asks for first."""
RESTS_ON = (
    "this base policy, sampled (its mean action is another policy), in this environment with "
    "these arguments and its own initial states; episodes of at most T steps",
    "scenarios that are complete, independent, and planned before they were run",
    "the draw of the scenarios: the claim fails with probability at most β",
)


def certificate_view(certificate: Certificate) -> View:
    """The claim in words, ε_base(T) for some T, and all that the certificate is of."""
    rule, choice = certificate.sampling.rule, certificate.choice
    if choice is None:
        horizons = [one for one in SHOWN if one < certificate.max_horizon]
        horizons = [one for one in horizons if certificate.eps_base(one) < 1.0]
        horizons.append(certificate.max_horizon)
        which = f"every T from 1 to {certificate.max_horizon} at once"
        shared = "β is shared among all T"
    else:
        horizons = [choice.horizon]
        which = f"the T = {choice.horizon} that was chosen on other scenarios"
        shared = "at β itself, for one T"
    sentence = (
        f"With confidence 1 − {certificate.beta:g}: P(one episode of the base policy violates "
        f"{certificate.property!r} within T steps) ≤ ε_base(T), for {which}."
    )
    rows = [
        (
            str(one),
            f"{certificate.table.num_violations[one - 1]:,} of {certificate.num_scenarios:,}",
            at_most(certificate.eps_base(one)),
            at_least(certificate.eps_base(one) ** (-1.0 / one)),
        )
        for one in horizons
    ]
    versions = ", ".join(f"{name} {certificate.versions[name]}" for name in MADE_WITH
                         if name in certificate.versions)  # fmt: skip
    return View(
        title="Certificate of a base policy",
        sentences=(sentence,),
        table=Table(("T, steps", "violations", "ε_base(T)", "largest α with ε_base·α^T ≤ 1"), rows),
        facts=(
            ("theorem", f"{THEOREMS[rule]}; {shared} ({_PROOFS[rule]})"),
            ("confidence", f"1 − β, β = {certificate.beta:g}"),
            ("property", certificate.property),
            ("environment", f"{certificate.env_id} {arguments_text(certificate.env_kwargs)}"),
            ("scenarios", f"{certificate.num_scenarios:,}, root seed {certificate.root_seed}"),
            ("base policy", certificate.base_digest),
            ("certificate", certificate.digest),
            *([("made with", versions)] if versions else []),
        ),
        assumptions=RESTS_ON,
    )


def arguments_text(arguments: dict[str, Any]) -> str:
    """Arguments of an environment, as JSON."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)
