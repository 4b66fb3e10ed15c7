"""A limit that scenarios of the base chose, in a bundle: its list, its tests, computed again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sport_ray.bounds import ratio_bound
from sport_ray.bounds.arguments import require_beta, require_integer, require_open_unit
from sport_ray.bounds.limit_choice import beta_for_counts, largest_count
from sport_ray.bounds.list_evidence import ListEvidence
from sport_ray.bounds.perturbation import level_within
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint
from sport_ray.constraints.mixture import Mixture
from sport_ray.errors import UserError

LIMIT = "limit"
"""In the manifest: which list, which member, and how it was tested."""
SCOPE = (
    "this policy as a member of its list, which was written down before its scenarios; nothing "
    "about training, nor about policies that are not in the list"
)


class FromData(NamedTuple):
    """What the test of a list promises of its member ``rank``; level: the risk, of fresh episodes.

    beta: the choice errs with at most this. size: members of the list. num_scenarios: of the base,
    in each test; fresh: whether they were of their own, or the certificate's again.
    """

    level: float
    beta: float
    rank: int
    size: int
    num_scenarios: int
    fresh: bool

    @property
    def theorem(self) -> str:
        """In words."""
        whose = "fresh scenarios of the base" if self.fresh else "scenarios of the certificate"
        return (
            f"limit {self.rank} of a list of {self.size}, tested in order, each by its off-policy "
            f"bound from {self.num_scenarios} {whose}, none of which failed"
        )


def evidence_name(rank: int) -> str:
    """The file of a member's test in a bundle."""
    return f"limit/{rank}.npz"


def from_data_of(
    manifest: Mapping[str, Any],
    read: Callable[[str], bytes],
    constraint: Constraint | Mixture,
    horizon: int,
    certificate: Certificate,
) -> FromData | None:
    """What a manifest's list promises, each member's test made again; None where it has no list.

    read: the bytes of a file of the bundle by name.

    Raises:
        UserError: a test that does not hold, or that is of something else than the bundle's.
        KeyError, TypeError, ValueError: a damaged manifest.
    """
    if LIMIT not in manifest:
        return None
    if isinstance(constraint, Mixture):
        raise UserError("a mixture rests on its parts' prior bounds, and is of no list")
    about, promise = manifest[LIMIT], manifest["promise"]
    level, beta = require_open_unit("level", about["level"]), require_beta("beta", about["beta"])
    rank, size = (
        require_integer("rank", about["rank"], 1),
        require_integer("size", about["size"], 1),
    )
    count = require_integer("num_scenarios", about["num_scenarios"], 1)
    fresh = about["scenarios"] == "fresh"
    members = about["members"]
    if rank > size or len(members) != rank:
        raise UserError(f"the list names {len(members)} members before limit {rank} of {size}")
    last = members[-1]
    if last != {"constraint": manifest["constraint"], "policy": manifest["task"]["digest"]}:
        raise UserError("the limit that was tested is not the one that the bundle has")
    world = ratio_bound(1.0, 1.0, horizon, alpha_mu=promise["alpha_mu"], alpha_p=promise["alpha_p"])
    test_beta = beta
    if not fresh:
        known = certificate.evidence(horizon)
        most = max(require_open_unit("largest_level", about["largest_level"]), level)
        test_beta = beta_for_counts(beta, largest_count(known.num_scenarios, known.beta, most))
    inside = level_within(level, world)
    before = -math.inf
    for number, member in enumerate(members, start=1):
        found = ListEvidence.from_bytes(read(evidence_name(number)))
        own = _like(constraint, member["constraint"])
        if not math.isnan(own.limit) and not own.limit > before:
            raise UserError("the limits of the list do not rise: they are tested in order")
        before = own.limit
        if len(found.log_ratios) != count or not found.fits(own.path_log_ratio_limit(horizon)):
            raise UserError(f"limit {number} of the list was tested on something else than is said")
        if not found.holds(test_beta, inside):
            raise UserError(
                f"limit {number} of the list does not pass its test: its scenarios do not show a "
                f"risk of {level:g}"
            )
    return FromData(level, beta, rank, size, count, fresh)


def _like(constraint: Constraint, about: Mapping[str, Any]) -> Constraint:
    """A member of the same kind: a list has one, and no module but the bundle's own is run.

    Raises:
        UserError: another kind, or impossible parameters.
    """
    parameters = {n: tuple(v) if isinstance(v, list) else v for n, v in about.items()}
    if parameters.pop("name") != constraint.name:
        raise UserError("the list holds limits of several kinds")
    return type(constraint)._from_parameters(parameters)
