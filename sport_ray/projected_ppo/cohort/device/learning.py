"""All cells' minibatch steps at once: forward, loss, backward, clipping, Adam."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sport_ray.families.gaussian.head import GaussianHead
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device import health as faults
from sport_ray.projected_ppo.cohort.device.acting import Policies
from sport_ray.projected_ppo.cohort.device.adam import DeviceAdam
from sport_ray.projected_ppo.cohort.device.batch import Batches, Checks
from sport_ray.projected_ppo.cohort.device.graphs import Captured
from sport_ray.projected_ppo.cohort.device.health import Health
from sport_ray.projected_ppo.cohort.device.loss import Rows, paper_gradients, projected_gradients
from sport_ray.projected_ppo.cohort.device.plan import Plan
from sport_ray.projected_ppo.cohort.device.rollout import Record
from sport_ray.projected_ppo.cohort.networks import critics_of
from sport_ray.projected_ppo.cohort.passes import Passes, outputs
from sport_ray.projected_ppo.minibatches import CLIP_WINDOW
from sport_ray.projected_ppo.stack import Stack

STEP_METRICS = (
    "policy_loss",
    "clip_fraction",
    "entropy",
    "vf_loss",
    "gradients_actor_global_norm",
    "gradients_critic_global_norm",
)


class DeviceLearning:
    """Actors and critics of K cells, and what they learn from each iteration's record.

    rows: (minibatches, K, B), which rows of its own batch each minibatch of a cell has.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        policies: Policies,
        rows: Tensor,
        health: Health,
        device: torch.device,
    ) -> None:
        self._plan, self._policies, self._health, self._rows = plan, policies, health, rows
        spec, count = policies.spec, len(cells)
        self._spec = spec
        self.actors, self.critics = policies.actors, critics_of(cells, device)
        self._actor_grad, self._critic_grad = (
            Stack(count, one.sizes, one.own, device) for one in (self.actors, self.critics)
        )

        def numbers(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device)

        clip = numbers([cell.grad_clip or math.inf for cell in cells])
        rates = numbers([cell.lr for cell in cells]), numbers([cell.critic_lr for cell in cells])
        self._adam = DeviceAdam(self.actors, self._actor_grad, rates[0], clip)
        self._critic_adam = DeviceAdam(self.critics, self._critic_grad, rates[1], clip)
        self._clip = numbers([cell.clip_param for cell in cells])[:, None]
        self._entropy = numbers([cell.entropy_coeff for cell in cells])[:, None]
        self._vf = numbers([cell.vf_loss_coeff for cell in cells])[:, None]
        self._warmup = numbers([cell.warmup_env_steps for cell in cells])
        shape = (count, plan.minibatch_size)
        self._passes = [
            Passes(one.sizes, spec.activation, shape, device) for one in (self.actors, self.critics)
        ]
        widths = (spec.observation_size, spec.action_size)
        self._checks = Checks(policies.limits, policies.free, health)
        self.batches = Batches(
            cells, plan, self._values, policies.normalized, widths, health, device
        )
        self._offsets = torch.arange(count, device=device)[:, None] * plan.rows
        self._number = torch.zeros(1, dtype=torch.int64, device=device)
        told = (plan.num_minibatches, count, len(STEP_METRICS))
        self._told = torch.zeros(told, dtype=torch.float64, device=device)
        self.env_steps = torch.zeros(count, dtype=torch.float64, device=device)
        """Taken by each cell in all."""
        self._minibatch = Captured(self._learn_one, device)

    @property
    def distances(self) -> Tensor:
        """Of the last batch, (K, 5): see ``batch.DISTANCES``."""
        return self._checks.distances

    def metrics(self) -> Tensor:
        """Of the last update, (K, 6): see ``STEP_METRICS``."""
        found = self._told[-1].clone()
        found[:, 1] = self._told[-CLIP_WINDOW:, :, 1].mean(0)
        return found

    def prepare(self, record: Record) -> None:
        """Check the record and make batches of it."""
        # A cell that failed before takes no more steps; what fails now was still sampled.
        self.env_steps += self._plan.rows * self._health.well()
        self._checks(record)
        self.batches.fill(record)
        self._number.zero_()

    def update(self) -> None:
        """All epochs over the batches."""
        for _ in range(self._plan.num_minibatches):
            self._minibatch()

    def _values(self, normalized: Tensor) -> Tensor:
        return outputs(self.critics.whole, self._spec.activation, normalized).squeeze(-1)

    def _learn_one(self) -> None:
        """The next minibatch of each cell."""
        cells, size = len(self.actors), self._plan.minibatch_size
        index = self._rows.index_select(0, self._number)[0] + self._offsets
        whole = self.batches.whole
        rows = whole.flatten(0, 1).index_select(0, index.flatten()).view(cells, size, -1)
        observation, actions, logp, advantages, targets, *base = rows.split(
            self.batches.widths, dim=-1
        )
        part = Rows(actions, logp[..., 0], advantages[..., 0])
        surrogate, entropy, clipped = self._policy_gradient(observation, part, base)
        error = self._critic_gradient(observation, targets)
        norms, critic_norms = self._adam.norms(), self._critic_adam.norms()
        health = self._health
        learns = self.env_steps > self._warmup
        health.fail(learns & ~torch.isfinite(norms), faults.ACTOR)
        health.fail(~torch.isfinite(critic_norms), faults.CRITIC)
        well = health.well()
        self._adam.step(norms, learns & well)
        self._critic_adam.step(critic_norms, well)
        told = [surrogate, clipped, entropy, error, norms, critic_norms]
        self._told.index_copy_(0, self._number, torch.stack(told, dim=1)[None])
        self._number += 1

    def _policy_gradient(
        self, observation: Tensor, rows: Rows, base: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        weights, out = self.actors.whole, self._actor_grad.whole
        passes, head = self._passes[0], self._spec.head
        assert isinstance(head, GaussianHead)
        output, own = passes.forward(weights, observation), weights.own.get("log_std")
        settings = (head, output, own, rows, self._clip, self._entropy)
        if base and self._policies.any_held:
            policies = self._policies
            losses, gradients = projected_gradients(
                *settings, (base[0], base[1]), policies.limits, policies.free
            )
        else:
            losses, gradients = paper_gradients(*settings)
        passes.grad.copy_(gradients.output)
        if gradients.own is not None:
            out.own["log_std"].copy_(gradients.own)
        passes.backward(weights, out)
        return losses

    def _critic_gradient(self, observation: Tensor, targets: Tensor) -> Tensor:
        weights, passes = self.critics.whole, self._passes[1]
        error = passes.forward(weights, observation) - targets
        scale = 2.0 * self._vf / self._plan.minibatch_size
        passes.grad.copy_(error * scale[..., None].float())
        passes.backward(weights, self._critic_grad.whole)
        return error.double().square().mean((1, 2))
