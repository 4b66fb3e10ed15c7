"""Projected PPO over the index: the paper's algorithm for choices among the base's own samples."""

from __future__ import annotations

from typing import Any, Self

from ray.rllib.algorithms.algorithm_config import NotProvided
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from safetensors.torch import save

from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Distribution
from sport_ray.policies import PolicyFile
from sport_ray.policies.actions import ActionMapping
from sport_ray.projected_ppo.algorithm import ProjectedPPO, ProjectedPPOConfig
from sport_ray.projected_ppo.index_module import IndexModule
from sport_ray.projected_ppo.rllib_setup import actor_weights
from sport_ray.projected_ppo.streams import first_weights
from sport_ray.samplers import BaseFile, BaseSampler, sampler_of
from sport_ray.selection import Selector
from sport_ray.selection.limits import MOST_CANDIDATES
from sport_ray.selection.scores.preference import (
    Preference,
    PreferenceNetwork,
    PreferenceSpec,
    blank_preference,
)


class IndexPPOConfig(ProjectedPPOConfig):
    """Configuration of :class:`IndexPPO`: ``.choosing(base, candidates=…).training(alpha=…)``."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or IndexPPO)
        self.base_file: BaseFile | None = None
        self.num_candidates = 64
        self.preference: PreferenceNetwork | None = None

    def choosing(
        self,
        base: BaseFile = NotProvided,
        *,
        candidates: int = NotProvided,
        start: PreferenceNetwork | None = NotProvided,
    ) -> Self:
        """Set what is chosen among, and where the choice starts.

        Args:
            base: what the candidates are drawn from: any that can be sampled.
            candidates: M, how many in each state.
            start: log weights to begin with; by default equal ones.
        """
        if base is not NotProvided:
            self.base_file = base
        if candidates is not NotProvided:
            self.num_candidates = candidates
        if start is not NotProvided:
            self.preference = start
        return self

    def validate(self) -> None:
        """Refuse what would void the certificate.

        Raises:
            UserError: also a number of candidates that no selector has.
        """
        if not 2 <= self.num_candidates <= MOST_CANDIDATES:
            raise UserError(
                f"candidates must lie in 2 … {MOST_CANDIDATES}, got {self.num_candidates}"
            )
        super().validate()

    def _family(self) -> type[Distribution]:
        if self.base_file is None:
            raise UserError("no base policy: call .choosing(<what read_base gives>, candidates=64)")
        return Categorical

    def _sampler(self) -> BaseSampler:
        assert self.base_file is not None
        return sampler_of(self.base_file, run_module=True)

    def _mapping(self) -> ActionMapping:
        return self._sampler().action_mapping

    def _seen(self) -> Flattening | None:
        return self._sampler().flattening

    def _context(self) -> dict[str, Any]:
        choice = {"base": self.base_file, "count": self.num_candidates}
        return {**super()._context(), "candidates": choice}

    def first_preference(self) -> PreferenceNetwork:
        """Where training starts: given, or equal weights of an untrained network.

        Raises:
            UserError: a given one of other sizes than the base's.
        """
        assert self.constraint is not None
        sampler = self._sampler()
        sizes = sampler.observation_size, sampler.action_size
        if self.preference is not None:
            spec = self.preference.spec
            if (spec.observation_size, spec.action_size) != sizes:
                raise UserError(
                    f"the preference to start from is for {spec.observation_size} observations "
                    f"and {spec.action_size} actions, the base has {sizes[0]} and {sizes[1]}"
                )
            return self.preference
        budget = self.constraint.state_size > 0
        scale = float(self.constraint.limits(self.constraint.start(1))[0]) if budget else 0.0
        base = self.base_file
        normalization = base.network.spec.normalization if isinstance(base, PolicyFile) else None
        spec = PreferenceSpec(
            observation_size=sizes[0],
            action_size=sizes[1],
            limit_scale=scale or None,
            normalization=normalization,
        )
        # Without a seed 0: runners and learner are to begin with the same.
        with first_weights(self.seed or 0, "preference"):
            return PreferenceNetwork(spec).float()

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module that chooses by the projected weights."""
        start = self.first_preference()
        assert self.constraint is not None  # validate() has seen to it
        return RLModuleSpec(
            module_class=IndexModule,
            model_config={
                "spec": start.spec.model_dump(mode="json"),
                "weights": save({k: v.contiguous() for k, v in start.state_dict().items()}),
                "num_candidates": self.num_candidates,
                "constraint": self.constraint.to_json(),
                "gradient": self.gradient,
                "seed": self.seed,
            },
        )


class IndexPPO(ProjectedPPO):
    """Clipped PPO over the index of one of M candidates, drawn from the projection of its weights.

    The categorical family in the algorithm of arXiv 2504.06386: with p_j ≤ α/M its bound holds for
    any base that can be sampled (docs/bounds.md, section 9).
    """

    @classmethod
    def get_default_config(cls) -> IndexPPOConfig:
        """The paper's configuration."""
        return IndexPPOConfig()

    def selector(self) -> Selector:
        """A copy of the way of choosing as the learner has it now."""
        network = blank_preference(self.config.first_preference().spec)
        network.load_state_dict(actor_weights(self.learner_group))
        return Selector(self.config.num_candidates, Preference(network))
