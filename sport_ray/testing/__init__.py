"""Checks of constraints, families and task-policy sources of one's own; ours pass the same ones.

``constraint_checks``, ``family_checks`` and ``source_checks`` list them: each is a function with a
name and a docstring, to be run one by one (with pytest: ``parametrize``) or all together by
``check_constraint``, ``check_family`` and ``check_source``. One that fails raises ``CheckFailed``
in one line. They look for mistakes; they are no proof that a bound holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.experiments.source_checks import (
        SourceCase,
        check_source,
        source_case,
        source_checks,
    )
    from sport_ray.testing.checking import CheckFailed
    from sport_ray.testing.constraints import ConstraintCase, check_constraint, constraint_checks
    from sport_ray.testing.families import check_family, family_checks
    from sport_ray.testing.members import Members, categorical_members, gaussian_members

_SOURCES = "sport_ray.experiments.source_checks"
_HOMES = {
    "CheckFailed": ".checking",
    "ConstraintCase": ".constraints",
    "Members": ".members",
    "SourceCase": _SOURCES,
    "categorical_members": ".members",
    "check_constraint": ".constraints",
    "check_family": ".families",
    "check_source": _SOURCES,
    "constraint_checks": ".constraints",
    "family_checks": ".families",
    "gaussian_members": ".members",
    "source_case": _SOURCES,
    "source_checks": _SOURCES,
}

__all__ = [
    "CheckFailed",
    "ConstraintCase",
    "Members",
    "SourceCase",
    "categorical_members",
    "check_constraint",
    "check_family",
    "check_source",
    "constraint_checks",
    "family_checks",
    "gaussian_members",
    "source_case",
    "source_checks",
]

__getattr__ = names_from(__name__, _HOMES)
