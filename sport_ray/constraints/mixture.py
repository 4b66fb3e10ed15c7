"""Random budgets: which constraint an episode keeps to is drawn once, at its start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.mixture import mixture_bound, require_weights
from sport_ray.constraints.constraint import Array, Constraint, constraint_from_json
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.unconstrained import Unconstrained
from sport_ray.errors import UserError
from sport_ray.plugins import is_plugin

MOST_PARTS = 100


@dataclass(frozen=True)
class Mixture:
    """Part i with probability w_i, drawn at the start of an episode and kept to its end.

    A part is a constraint, and whoever mixes has a task policy for each; one without a limit is
    ``Unconstrained``. The mixture projects nothing itself and has no state: both are its parts'.
    Its prior bound is Σ w_i min(1, b_i). Proof: docs/bounds.md, 'Random budgets'.

    weights: w (n,), multiples of 2⁻⁵² with the sum 1. parts: (n,), constraints that ship.

    Raises:
        UserError: weights that are no such probabilities, or a part that cannot be one.
    """

    weights: tuple[float, ...]
    parts: tuple[Constraint, ...]
    name: ClassVar[str] = "mixture"
    simultaneous: ClassVar[bool] = True  # every part is
    title: ClassVar[str] = "random budget"
    formula: ClassVar[str] = "Σ w_i · min(1, b_i), b_i the bound of part i"

    def __post_init__(self) -> None:
        try:
            require_weights(self.weights)
        except (TypeError, ValueError) as error:
            raise UserError(f"a mixture's {error}") from None
        if len(self.parts) != len(self.weights) or len(self.parts) > MOST_PARTS:
            raise UserError(
                f"a mixture has one weight for each part, at most {MOST_PARTS}, got "
                f"{len(self.weights)} weights and {len(self.parts)} parts"
            )
        for part in self.parts:
            _require_part(part)

    def prior_bound(self, evidence: Evidence) -> float:
        """Σ w_i min(1, b_i), b_i the prior bound of part i; 1 where nothing is promised for it."""
        own = [part.prior_bound(evidence) for part in self.parts]
        return mixture_bound(self.weights, [1.0 if bound is None else bound for bound in own])

    def drawn(self, numbers: Array) -> NDArray[np.int64]:
        """The part that each uniform number (n,) of [0, 1) draws, multiples of 2⁻⁵³; (n,).

        Exactly with probability w_i: cumulative sums of weights are exact.
        """
        return np.searchsorted(np.cumsum(self.weights), numbers, side="right").astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """``{"name": "mixture", "weights": …, "parts": …}``; see :func:`mixture_from_json`."""
        return {
            "name": self.name,
            "weights": list(self.weights),
            "parts": [part.to_json() for part in self.parts],
        }


def _require_part(part: Constraint) -> None:
    if not isinstance(part, Constraint):
        raise UserError(f"a mixture's parts are constraints, got {part!r}")
    if is_plugin(part.name):  # a bundle names the code of one constraint, not of several
        raise UserError(f"constraint {part.name!r} does not ship, and cannot be mixed")
    if not (part.simultaneous or isinstance(part, Unconstrained)):
        raise UserError(
            f"constraint {part.name!r} has a confidence of its own, and cannot be mixed: a "
            "mixture's parts rest on one ε_base"
        )


def is_mixture(record: Mapping[str, Any]) -> bool:
    """Whether a record is a mixture's, not that of one constraint."""
    return record.get("name") == Mixture.name


def mixture_from_json(record: Mapping[str, Any]) -> Mixture:
    """The mixture that a record describes.

    Raises:
        UserError: other fields than it has, or values that make none.
    """
    if not is_mixture(record) or set(record) != {"name", "weights", "parts"}:
        raise UserError(f"a mixture has weights and parts, got the fields {sorted(record)}")
    weights, parts = record["weights"], record["parts"]
    if not isinstance(weights, Collection) or not isinstance(parts, Collection):
        raise UserError("a mixture's weights and parts are lists")
    return Mixture(tuple(weights), tuple(constraint_from_json(one) for one in parts))
