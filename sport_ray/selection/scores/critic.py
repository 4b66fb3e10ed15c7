"""Choose by a critic of the base: its mean under a constant ratio, its quantiles for a budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.rollouts.behaviour import Steps
from sport_ray.samplers import BaseSampler
from sport_ray.selection.score import Score
from sport_ray.selection.scores.kernel import laws
from sport_ray.selection.scores.network import Inputs, ScoreNetwork, ScoreSpec, blank_score
from sport_ray.selection.scores.rules import greedy, quantile

Array = NDArray[np.float64]
Rule = Literal["auto", "greedy", "quantile"]
SHARPNESS = 1.5
"""Measured on the point robot: 1 is best with exact laws, 1.25 to 1.75 with learned ones."""


class Critic(Score):
    """Log weights from the critic's laws of the return.

    rule: "greedy" (the best mean; for a constant ratio), "quantile" (the base's best share of
    episodes; for budgets all of which is open) or "auto": what suits the constraint.
    sharpness: the power of the quantile rule, > 0.

    Raises:
        UserError: an unknown rule, a sharpness that is not positive, weights that are not finite.
    """

    name: ClassVar[str] = "critic"

    def __init__(
        self, network: ScoreNetwork, rule: Rule = "auto", sharpness: float = SHARPNESS
    ) -> None:
        if rule not in get_args(Rule):
            raise UserError(f"rule is {rule!r}: expected one of {', '.join(get_args(Rule))}")
        if not 0.0 < sharpness <= 1000.0:
            raise UserError(f"sharpness is {sharpness}: expected a number in (0, 1000]")
        self.spec, self.rule, self.sharpness = network.spec, rule, float(sharpness)
        self._state = {
            name: _sealed(value.detach().cpu().numpy())
            for name, value in network.state_dict().items()
        }
        for name, values in self._state.items():
            if not np.isfinite(values).all():
                raise UserError(f"critic: weights {name} hold numbers that are not finite")
        self._floor = 0.0  # κ, of the constraint that it is bound to
        self._inputs = Inputs(self.spec)
        self._values = _sealed(self.spec.atoms.values)
        self._act = _sealed(self._state["act.weight"].T)
        self._embed = self._layers("embed", len(self.spec.embedding_sizes) - 1)
        self._rest = self._layers("layers", len(self.spec.candidate_sizes) - 1)

    def _layers(self, name: str, count: int) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        """Matrices (inputs, outputs) and biases of the layers of a part."""
        return tuple(
            (_sealed(self._state[f"{name}.{i}.weight"].T), self._state[f"{name}.{i}.bias"])
            for i in range(count)
        )

    def laws(self, observation: Array, candidates: Array, taken: Steps | None = None) -> Array:
        """Laws of the return (n, M, atoms + 1), best first; a row depends on itself alone.

        taken: steps taken before, (n,); needed only by a critic that sees the time.

        Raises:
            UserError: sizes that differ from the critic's, or no ``taken`` where it is needed.
        """
        spec = self.spec
        sizes = observation.shape[-1], candidates.shape[-1]
        if sizes != (spec.observation_size, spec.action_size):
            raise UserError(
                f"critic: observations of {sizes[0]} and actions of {sizes[1]} entries, it was "
                f"made for {spec.observation_size} and {spec.action_size}"
            )
        if taken is None:
            if spec.horizon is not None:
                raise UserError("critic: it sees the time, and no steps taken were given")
            taken = np.zeros(len(observation), dtype=np.int64)
        seen = self._inputs.observations(observation, taken)
        acted = self._inputs.actions(candidates)
        found = np.empty((*acted.shape[:2], spec.atoms.outputs))
        laws(self._embed, self._act, self._rest, seen, acted, found)
        return found

    def log_weights(
        self, observation: Array, candidates: Array, limits: Array, taken: Steps
    ) -> Array:
        """Log weights (n, M), nats; limits (n,): log of the largest ratio at this step."""
        found = self.laws(observation, candidates, taken)
        if self.rule == "quantile":
            return quantile(found, limits, self.sharpness)
        return greedy(found, self._values, limits, self._floor)

    def bound_to(self, sampler: BaseSampler, constraint: Constraint) -> Critic:
        """With the rule that suits the constraint, where none was named, and with its floor."""
        rule = self.rule
        if rule == "auto":
            rule = "quantile" if constraint.state_size else "greedy"
        found = object.__new__(type(self))
        # A floor that is not filled on purpose is filled with candidates of no use.
        floor = float(getattr(constraint, "kappa", 0.0))
        found.__dict__.update(self.__dict__, rule=rule, _floor=floor)
        return found

    def to_json(self) -> dict[str, Any]:
        """Architecture, rule and sharpness."""
        spec = self.spec.model_dump(mode="json", exclude_none=True)
        return {"spec": spec, "rule": self.rule, "sharpness": self.sharpness}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The network's weights, float32."""
        return dict(self._state)

    @classmethod
    def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """From architecture and weights."""
        spec = ScoreSpec.model_validate(fields["spec"])
        for name, values in arrays.items():
            if values.dtype != np.float32:  # a silent cast would make another critic
                raise ValueError(f"{name} is {values.dtype}, expected float32")
        network = blank_score(spec)
        try:
            network.load_state_dict(
                {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}
            )
        except RuntimeError as error:
            raise ValueError(f"weights do not fit the architecture: {error}") from None
        return cls(network, fields["rule"], fields["sharpness"])


def _sealed(values: NDArray[Any]) -> NDArray[Any]:
    """A copy, contiguous, that nobody can write into."""
    found = np.array(values, order="C")
    found.setflags(write=False)
    return found
