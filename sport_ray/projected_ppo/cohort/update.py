"""What a cell learns from a batch: the minibatch steps of the single algorithm, without a graph."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing
from torch import Tensor

from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.policies.network import PolicySpec
from sport_ray.policies.observations import Normalizer
from sport_ray.projected_ppo.cohort.adam import Adam, norm
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.checks import checked
from sport_ray.projected_ppo.cohort.loss import (
    PolicyLoss,
    PolicyRows,
    autograd_gradient,
    paper_gradient,
)
from sport_ray.projected_ppo.cohort.passes import Kept, backward, forward
from sport_ray.projected_ppo.cohort.stack import Stack, Weights
from sport_ray.projected_ppo.fragment import Fragment, training_batch
from sport_ray.projected_ppo.minibatches import minibatches
from sport_ray.projected_ppo.module import POLICY_INPUTS
from sport_ray.projected_ppo.streams import critic_network, minibatch_generator

CLIP_WINDOW = 64
"""Minibatches that ``clip_fraction`` is the mean of."""


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
    ) -> None:
        self.cells, self.spec, self.schedule = list(cells), spec, schedule
        self.device = torch.device(device)
        count, head = len(cells), spec.head
        sizes = (spec.observation_size, *spec.hidden, 1)
        self.actors = Stack(count, spec.layer_sizes, head.parameters, self.device)
        self.critics = Stack(count, sizes, device=self.device)
        for index, cell in enumerate(cells):
            self.actors.put(index, cell.start.body, cell.start.of_the_head())
            self.critics.put(index, critic_network(sizes, spec.activation, cell.seed))
        self._adam = {"actor": Adam(self.actors), "critic": Adam(self.critics)}
        self._gradient = {
            "actor": Stack(1, spec.layer_sizes, head.parameters, self.device),
            "critic": Stack(1, sizes, device=self.device),
        }
        self._permutations = [minibatch_generator(cell.seed) for cell in cells]
        self._clipped = [deque[float](maxlen=CLIP_WINDOW) for _ in cells]
        self._normalize = None if spec.normalization is None else Normalizer(spec.normalization)

    def update(self, cell: int, fragments: Sequence[Fragment], sampled: int) -> dict[str, float]:
        """All epochs over what a cell sampled; its metrics.

        sampled: steps that the cell has taken in all, which decides whether it is warming up.

        Raises:
            ArithmeticError: a stored ratio above the limit, or a number that is not finite.
            ValueError: a reward or a value that is not finite.
        """
        own = self.cells[cell]
        critic = self.critics.one(cell)
        columns = training_batch(
            fragments,
            lambda rows: self._values(critic, rows),
            gamma=own.gamma,
            lambda_=own.lambda_,
        )
        features = columns[Columns.OBS][:, self._base_inputs(own.constraint) :]
        limits = own.constraint.feature_limits(features)
        metrics = checked(columns, own.constraint, self.spec.family, limits)
        batch = _Batch.of(columns, limits, self._normalized(columns[Columns.OBS]), self.device)
        learns = sampled > own.warmup_env_steps
        metrics |= self._epochs(cell, batch, learns)
        metrics["clip_fraction"] = float(np.mean(self._clipped[cell]))
        return metrics

    def _base_inputs(self, constraint: Constraint) -> int:
        return self.spec.observation_size - constraint.num_features

    def _normalized(self, observation: Tensor) -> Tensor:
        return observation if self._normalize is None else self._normalize(observation)

    def _values(self, critic: Weights, observation: Tensor) -> Tensor:
        rows = self._normalized(observation).to(self.device)
        return forward(critic, self.spec.activation, rows).squeeze(-1)

    def _epochs(self, cell: int, batch: _Batch, learns: bool) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for rows in self._cut(cell, len(batch.observation)):
            index = torch.from_numpy(rows).to(self.device)
            metrics = self._minibatch(cell, batch.rows(index), learns)
        return metrics

    def _cut(self, cell: int, count: int) -> list[np.ndarray]:
        size, epochs, shuffled, _ = self.schedule
        if not size:
            return [np.arange(count)] * epochs
        return list(minibatches(count, size, epochs, self._permutations[cell] if shuffled else None))

    def _minibatch(self, cell: int, batch: _Batch, learns: bool) -> dict[str, float]:
        """One step of both optimisers; during warm-up of the critic's alone."""
        own = self.cells[cell]
        policy = self._policy_gradient(cell, batch, wanted=learns)
        self._clipped[cell].append(policy.clipped)
        error = self._critic_gradient(cell, batch)
        metrics = {
            "policy_loss": policy.surrogate,
            "entropy": policy.entropy,
            "vf_loss": error,
        }
        steps = {"actor": own.lr, "critic": own.critic_lr} if learns else {"critic": own.critic_lr}
        scales = {}
        for name in steps:
            length = norm(self._gradient[name].flat[0])
            if not math.isfinite(length):
                raise ArithmeticError(f"training diverged: the gradient of {name} is not finite")
            metrics[f"gradients_{name}_global_norm"] = length
            scales[name] = min(1.0, own.grad_clip / (length + 1e-6)) if own.grad_clip else 1.0
        for name, rate in steps.items():
            self._adam[name].step(cell, self._gradient[name].flat[0], rate, scales[name])
        return metrics

    def _policy_gradient(self, cell: int, batch: _Batch, *, wanted: bool) -> PolicyLoss:
        own, weights = self.cells[cell], self.actors.one(cell)
        kept: Kept = []
        output = forward(weights, self.spec.activation, batch.observation, kept)
        grad, out = torch.empty_like(output), self._gradient["actor"].one(0)
        mine, grad_own = weights.own.get("log_std"), out.own.get("log_std")
        rows = PolicyRows(batch.actions, batch.logp, batch.advantages, batch.base, batch.limits)
        through = self.schedule.through_projection and not isinstance(
            own.constraint, Unconstrained
        )
        if through or output.device.type != "cpu":
            constraint = own.constraint if through else None
            loss = autograd_gradient(
                self.spec.head, output, mine, rows, own, grad, grad_own, constraint
            )
        else:
            loss = paper_gradient(self.spec.head, output, mine, rows, own, grad, grad_own)
        if wanted:
            backward(weights, self.spec.activation, kept, grad, out)
        return loss

    def _critic_gradient(self, cell: int, batch: _Batch) -> float:
        weights = self.critics.one(cell)
        kept: Kept = []
        values = forward(weights, self.spec.activation, batch.observation, kept).squeeze(-1)
        error = values - batch.targets
        grad = error * (2.0 * self.cells[cell].vf_loss_coeff / len(error))
        backward(
            weights, self.spec.activation, kept, grad[:, None], self._gradient["critic"].one(0)
        )
        return float(error.square().mean())


class _Batch(NamedTuple):
    """Rows of a batch, observations normalised, on the learner's device."""

    observation: Tensor
    actions: Tensor
    logp: Tensor
    advantages: Tensor
    targets: Tensor
    base: Tensor | None
    limits: Tensor | float

    @classmethod
    def of(
        cls,
        columns: dict[str, Tensor],
        limits: Tensor | float,
        observation: Tensor,
        device: torch.device,
    ) -> _Batch:
        inputs = columns.get(POLICY_INPUTS)
        return cls(
            observation.to(device),
            columns[Columns.ACTIONS].to(device),
            columns[Columns.ACTION_LOGP].to(device),
            columns[Postprocessing.ADVANTAGES].to(device),
            columns[Postprocessing.VALUE_TARGETS].to(device),
            None if inputs is None else inputs.chunk(2, dim=-1)[0].to(device),
            limits.to(device) if isinstance(limits, Tensor) else limits,
        )

    def rows(self, index: Tensor) -> _Batch:
        """Those rows."""
        return _Batch(*(one[index] if isinstance(one, Tensor) else one for one in self))
