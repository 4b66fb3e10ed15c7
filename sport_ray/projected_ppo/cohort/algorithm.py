"""Many cells of Projected PPO as one RLlib algorithm."""

from __future__ import annotations

from sport_ray.policies.network import GaussianNetwork
from sport_ray.projected_ppo.algorithm import ProjectedPPO
from sport_ray.projected_ppo.cohort.config import ProjectedPPOCohortConfig


class ProjectedPPOCohort(ProjectedPPO):
    """Projected PPO of K cells side by side; ``train()["cells"]`` is a list of their metrics."""

    @classmethod
    def get_default_config(cls) -> ProjectedPPOCohortConfig:
        """The paper's configuration, without cells."""
        return ProjectedPPOCohortConfig()

    def policy(self, cell: int) -> GaussianNetwork:
        """A copy of the task policy of a cell as it is now."""
        raise NotImplementedError

    def error(self, cell: int) -> Exception | None:
        """What ended a cell's training; None while it goes on."""
        raise NotImplementedError
