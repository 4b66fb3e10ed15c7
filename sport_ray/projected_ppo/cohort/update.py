"""What a cell learns from a batch: the minibatch steps of the single algorithm, without a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from torch import Tensor

from sport_ray.constraints import Unconstrained
from sport_ray.families import Distribution
from sport_ray.families.gaussian.head import GaussianHead
from sport_ray.policies.network import PolicyNetwork, PolicySpec
from sport_ray.policies.observations import Normalizer
from sport_ray.projected_ppo.checks import checked
from sport_ray.projected_ppo.cohort.adam import Adam
from sport_ray.projected_ppo.cohort.batch import Batch
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.loss import (
    PolicyLoss,
    PolicyRows,
    autograd_gradient,
    paper_gradient,
)
from sport_ray.projected_ppo.cohort.networks import actors_of, critics_of
from sport_ray.projected_ppo.cohort.passes import Passes, outputs
from sport_ray.projected_ppo.fragment import Fragment, training_batch
from sport_ray.projected_ppo.minibatches import CLIP_WINDOW, minibatches
from sport_ray.projected_ppo.module import POLICY_INPUTS
from sport_ray.projected_ppo.pursued import Pursued
from sport_ray.projected_ppo.stack import Stack, Weights
from sport_ray.projected_ppo.streams import minibatch_generator

Through = tuple[Tensor, Tensor | float]
"""The base's numbers (n, P) and the limits of rows, for the gradient through the projection."""


class Schedule(NamedTuple):
    """How a batch is cut: one for all cells."""

    minibatch_size: int | None
    num_epochs: int
    shuffled: bool
    through_projection: bool


class Learning:
    """Actors and critics of K cells with their optimisers; cells learn one after another.

    So a cell's numbers are its own, and its weights and moments stay in the processor's cache for
    all of its minibatches.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        spec: PolicySpec,
        schedule: Schedule,
        device: torch.device | str = "cpu",
        base: PolicyNetwork | None = None,
    ) -> None:
        self.cells, self.spec, self.schedule = list(cells), spec, schedule
        self.device = torch.device(device)
        self.actors = actors_of(cells, self.device)
        self.critics = critics_of(cells, self.device)
        self._actor_grad, self._critic_grad = (
            Stack(1, one.sizes, one.own, self.device).each[0] for one in (self.actors, self.critics)
        )
        self._adam = {
            "actor": Adam(self.actors, self._actor_grad.flat),
            "critic": Adam(self.critics, self._critic_grad.flat),
        }
        self._permutations = [minibatch_generator(cell.seed) for cell in cells]
        self._normalize = None if spec.normalization is None else Normalizer(spec.normalization)
        self._pursued = [Pursued(cell.objective, base) for cell in cells]
        self._passes: tuple[int, Passes, Passes] | None = None

    def update(self, cell: int, fragments: Sequence[Fragment], sampled: int) -> dict[str, float]:
        """All epochs over what a cell sampled; its metrics.

        sampled: steps that the cell has taken in all, which decides whether it is warming up.

        Raises:
            ArithmeticError: a stored ratio above the limit, or a number that is not finite.
            ValueError: a reward or a value that is not finite.
        """
        # Without a graph calls cost less; the projection's gradient needs one.
        with torch.inference_mode(not self.schedule.through_projection):
            return self._update(cell, fragments, sampled)

    def _update(self, cell: int, fragments: Sequence[Fragment], sampled: int) -> dict[str, float]:
        own = self.cells[cell]
        learns = sampled > own.warmup_env_steps
        pursued = self._pursued[cell]
        columns = training_batch(
            pursued(fragments, learns=learns),
            lambda rows: self._values(self.critics.each[cell], rows),
            gamma=own.gamma,
            lambda_=own.lambda_,
        )
        known = self.spec.observation_size - own.constraint.num_features
        features = columns[Columns.OBS][:, known:]
        told = checked(columns, own.constraint, self.spec.family, self._came_from, features)
        metrics = {name: value.item() for name, value in told.items()} | pursued.told
        through = None
        if self.schedule.through_projection and not isinstance(own.constraint, Unconstrained):
            limits = own.constraint.feature_limits(features)
            through = columns[POLICY_INPUTS].chunk(2, dim=-1)[0].to(self.device), limits
        columns[Columns.OBS] = self._normalized(columns[Columns.OBS])
        batch = Batch(columns, self.device)
        old = self._laws(cell, columns[Columns.OBS])
        chosen = torch.from_numpy(self._cut(cell, len(batch))).to(self.device)
        # They share no weights, so one after the other is the same: half as much stays in cache.
        found: list[PolicyLoss] = []
        for index in chosen:
            batch.take(index)
            part = None if through is None else _rows(through, index)
            before = None if old is None else old[index]
            found.append(self._policy_gradient(cell, batch, part, before, wanted=learns))
            if learns:
                self._step("actor", cell, own.lr, metrics)
        for index in chosen:
            batch.take(index)
            metrics["vf_loss"] = self._critic_gradient(cell, batch)
            self._step("critic", cell, own.critic_lr, metrics)
        metrics["policy_loss"], metrics["entropy"] = found[-1].surrogate, found[-1].entropy
        clipped = [one.clipped for one in found[-CLIP_WINDOW:]]
        metrics["clip_fraction"] = float(np.mean(clipped))
        return metrics

    def _normalized(self, observation: Tensor) -> Tensor:
        return observation if self._normalize is None else self._normalize(observation)

    def _came_from(self, inputs: Tensor) -> tuple[Distribution, Distribution]:
        """The base's and the task's distributions of a column POLICY_INPUTS (..., 2P)."""
        base, task = inputs.chunk(2, dim=-1)
        return self.spec.family.from_numbers(base), self.spec.family.from_numbers(task)

    def _values(self, critic: Weights, observation: Tensor) -> Tensor:
        rows = self._normalized(observation).to(self.device)
        return outputs(critic, self.spec.activation, rows).squeeze(-1)

    def _laws(self, cell: int, observation: Tensor) -> Tensor | None:
        """Numbers (n, P) of the laws before an update; None where no objective asks for them."""
        objective = self.cells[cell].objective
        if objective is None or objective.surrogate is None:
            return None
        weights = self.actors.each[cell]
        found = outputs(weights, self.spec.activation, observation.to(self.device))
        return self.spec.head.of_block(found, dict(weights.own)).numbers

    def _cut(self, cell: int, count: int) -> np.ndarray:
        size, epochs, shuffled, _ = self.schedule
        if not size:
            return np.tile(np.arange(count), (epochs, 1))
        return minibatches(count, size, epochs, self._permutations[cell] if shuffled else None)

    def _step(self, name: str, cell: int, rate: float, metrics: dict[str, float]) -> None:
        """One step of an optimiser, its gradient clipped by its norm."""
        clip, length = self.cells[cell].grad_clip, self._adam[name].norm()
        if not math.isfinite(length):
            raise ArithmeticError(f"training diverged: the gradient of {name} is not finite")
        metrics[f"gradients_{name}_global_norm"] = length
        self._adam[name].step(cell, rate, min(1.0, clip / (length + 1e-6)) if clip else 1.0)

    def _of_size(self, count: int) -> tuple[Passes, Passes]:
        """Workspaces of actor and critic for so many rows."""
        if self._passes is None or self._passes[0] != count:
            actor, critic = (
                Passes(stack.sizes, self.spec.activation, (count,), self.device)
                for stack in (self.actors, self.critics)
            )
            self._passes = count, actor, critic
        return self._passes[1:]

    def _policy_gradient(
        self,
        cell: int,
        batch: Batch,
        through: Through | None,
        old: Tensor | None,
        *,
        wanted: bool,
    ) -> PolicyLoss:
        """The policy's loss of a minibatch, and where it is wanted its gradient."""
        own, weights = self.cells[cell], self.actors.each[cell]
        passes = self._of_size(len(batch.observation))[0]
        output = passes.forward(weights, batch.observation)
        out, head = self._actor_grad, self.spec.head
        mine, grad_own = (next(iter(one.own.values()), None) for one in (weights, out))
        rows = PolicyRows(batch.actions, batch.logp, batch.advantages)
        closed = through is None and old is None and self.device.type == "cpu"
        if closed and isinstance(head, GaussianHead):
            loss = paper_gradient(head, output, mine, rows, own, passes.grad, grad_own)
        else:
            loss = autograd_gradient(
                head, output, mine, rows, own, passes.grad, grad_own, through, old
            )
        if wanted:
            passes.backward(weights, out)
        return loss

    def _critic_gradient(self, cell: int, batch: Batch) -> float:
        """The mean squared error of a minibatch; its gradient on the way."""
        weights = self.critics.each[cell]
        passes = self._of_size(len(batch.observation))[1]
        error = passes.forward(weights, batch.observation).squeeze(-1) - batch.targets
        scale = 2.0 * self.cells[cell].vf_loss_coeff / len(error)
        torch.mul(error, scale, out=passes.grad[:, 0])
        passes.backward(weights, self._critic_grad)
        return float(torch.dot(error, error)) / len(error)


def _rows(through: Through, index: Tensor) -> Through:
    base, limits = through
    return base[index], limits[index.cpu()] if isinstance(limits, Tensor) else limits
