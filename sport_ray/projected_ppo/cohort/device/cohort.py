"""A cohort on a device: iterate, and ask now and then how its cells are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from sport_ray.policies.network import PolicyNetwork
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.acting import Policies
from sport_ray.projected_ppo.cohort.device.batch import DISTANCES
from sport_ray.projected_ppo.cohort.device.feed import Feed
from sport_ray.projected_ppo.cohort.device.graphs import Captured
from sport_ray.projected_ppo.cohort.device.health import Health, error_of
from sport_ray.projected_ppo.cohort.device.learning import STEP_METRICS, DeviceLearning
from sport_ray.projected_ppo.cohort.device.plan import Plan
from sport_ray.projected_ppo.cohort.device.rollout import Rollout
from sport_ray.projected_ppo.cohort.networks import actors_of, policy_of
from sport_ray.tensors.registry import load_factory, make_from, tensor_factory

Metrics = dict[str, float | int | None]


class DeviceCohort:
    """K cells of Projected PPO that learn in lockstep on one device.

    The same algorithm as a cohort on a CPU: the same streams of noise and of permutations, the
    same batches, losses, clipping and optimisers. Two things differ. An episode's first step
    follows in the wall step after its predecessor's last, where the CPU's environments take a step
    to reset; so a cell meets other noise than there, and its numbers agree in distribution. And
    sums are the device's: a cell's numbers change in their last bits with its companions, which
    worlds that amplify what is small make visible after some steps.

    Args:
        cells: what each of them is; their constraints stateless.
        plan: what they share.
        base: the frozen base policy; None where no cell has a constraint.
        device: where everything is.

    Raises:
        UserError: whatever the environment's making refuses.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        base: PolicyNetwork | None,
        device: torch.device | str,
    ) -> None:
        place = torch.device(device)
        self.cells, self.plan, self.device = list(cells), plan, place
        spec = self.cells[0].start.spec
        factory = tensor_factory(plan.env_id)
        assert factory is not None
        slots = len(self.cells) * plan.copies
        self.environment = make_from(load_factory(factory), slots, plan.env_kwargs, place)
        self.actors = actors_of(self.cells, place)
        with torch.no_grad():
            policies = self.policies = Policies(self.cells, plan.copies, base, self.actors, place)
            self._feed = Feed(self.cells, plan, spec.family, spec.action_size, place)
            self._health = Health(len(self.cells), place)
            self.rollout = Rollout(
                self.cells, plan, policies, self.environment, self._feed.noise, place
            )
            self.learning = DeviceLearning(
                self.cells, plan, policies, self._feed.rows, self._health, place
            )
        self._lifetime = torch.zeros((len(self.cells), 2), dtype=torch.float64, device=place)
        self._lifetime[:, 1] = self.rollout.starting
        self._prepare = Captured(self._check_and_count, place)

    def iterate(self) -> None:
        """Sample a batch for every cell and update every cell; the host need not wait for it."""
        with torch.no_grad():
            self._feed.next()
            self.rollout.sample()
            self._prepare()
            self.learning.update()

    def _check_and_count(self) -> None:
        finished, well = self.rollout.finished, self._health.well()
        self._lifetime += torch.where(well[:, None], finished[:, 0::3], 0.0)
        self.learning.prepare(self.rollout.record)

    def results(self) -> list[Metrics]:
        """Each cell's metrics after the last iteration, as a cohort on a CPU has them.

        Means of episodes are over all that ended in the iteration. One transfer.
        """
        learning = self.learning
        found = torch.cat(
            [
                learning.env_steps[:, None],
                self._lifetime,
                self.rollout.finished,
                learning.distances,
                learning.metrics(),
            ],
            dim=1,
        )
        return [self._told(*row) for row in found.cpu().tolist()]

    def _told(
        self, env_steps: float, episodes: float, violations: float, ended: float,
        length: float, total: float, _: float, *rest: float,
    ) -> Metrics:  # fmt: skip
        known = {
            name: value
            for name, value in zip((*DISTANCES, *STEP_METRICS), rest, strict=True)
            if not math.isnan(value)  # what is not told of a cell
        }
        return {
            "num_env_steps_sampled_lifetime": int(env_steps),
            "num_episodes_lifetime": int(episodes),
            "num_violating_episodes_lifetime": (
                int(violations) if self.rollout.tells_violations else None
            ),
            "episode_return_mean": total / ended if ended else None,
            "episode_len_mean": length / ended if ended else None,
            **known,
        }

    def errors(self) -> dict[int, Exception]:
        """What ended cells, by cell."""
        found = {}
        for cell, code in enumerate(self._health.code.tolist()):
            if (error := error_of(code)) is not None:
                found[cell] = error
        return found

    def policy(self, cell: int) -> PolicyNetwork:
        """A copy of the task policy π_task of a cell as it is now, or was when the cell failed."""
        return policy_of(self.cells, self.actors, cell)

    def base_fingerprint(self) -> str:
        """As ``FrozenPolicy.fingerprint``, of the weights on the device; "" without a base."""
        return self.policies.base_fingerprint()

    def close(self) -> None:
        """Let go of the environment, if it can be closed."""
        close: Any = getattr(self.environment, "close", None)
        if close is not None:
            close()
