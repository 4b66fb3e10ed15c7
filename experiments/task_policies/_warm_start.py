"""Where the choice begins: a regression of the return on the certificate's own transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.experiments.task_policies.task import counts_steps
from sport_ray.rollouts.transitions import Transitions

if TYPE_CHECKING:
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies.actions import ActionMapping
    from sport_ray.selection.scores.preference import PreferenceNetwork

EPOCHS, BATCH, RATE = 4, 512, 2e-3
"""Passes over the transitions, rows of a gradient, and the largest rate of a cycle of Adam's."""
FAILURE = 1.5
"""Horizons that an episode counts for which does not arrive, or violates."""


def warm_start(
    task: Task,
    transitions: Transitions,
    network: PreferenceNetwork,
    mapping: ActionMapping,
    sharpness: float,
) -> PreferenceNetwork:
    """The network, trained so that its log weights are sharpness · predicted return.

    A softmax over candidates drops what does not depend on the action, so that the value of the
    state may be in the weights. sharpness: nats per standard deviation of the return over the
    transitions.

    Raises:
        UserError: transitions of another environment, or all of one return.
    """
    rows = transitions.rows(transitions.step < task.horizon)
    returns = _returns(task, rows)
    spread = float(returns.std()) if len(returns) else 0.0
    sizes = rows.observation.shape[1], rows.action.shape[1]
    spec = network.spec
    if sizes != (spec.observation_size, spec.action_size):
        raise UserError(
            f"the certificate's transitions have {sizes[0]} observations and {sizes[1]} actions, "
            f"the base {spec.observation_size} and {spec.action_size}: certify again"
        )
    if not spread > 0.0:
        raise UserError(
            "warm_start: all transitions of the certificate have one return, so nothing can be "
            "learned from them; set it to 0, or keep more of them (certificate.transitions)"
        )
    labels = torch.from_numpy(np.float32((returns - returns.mean()) / spread))
    observation = torch.from_numpy(np.float32(rows.observation))
    actions = torch.from_numpy(np.float32(mapping(rows.action)))[:, None]
    # Episodes of the base know no limit: as if all were open.
    whole = None if spec.limit_scale is None else torch.full((len(rows),), spec.limit_scale)
    generator = torch.Generator().manual_seed(task.seed)
    size = min(BATCH, len(rows))
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * (len(rows) // size))
    for _ in range(EPOCHS):
        order = torch.randperm(len(rows), generator=generator)
        for at in order[: len(rows) // size * size].split(size):
            limits = None if whole is None else whole[at]
            found = network(observation[at], actions[at], limits)[:, 0]
            loss = torch.nn.functional.smooth_l1_loss(found, labels[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
    with torch.no_grad():
        for value in network.layers[-1].parameters():
            value.mul_(sharpness)
    return network


def _returns(task: Task, rows: Transitions) -> NDArray[np.float64]:
    """What followed each step (m,): minus the steps to the goal, or the sum of rewards to come."""
    if counts_steps(task.plan("certify", 0)):
        price = FAILURE * task.horizon
        arrived = (rows.satisfied_at >= 0) & (rows.violated_at < 0)
        steps = np.where(arrived, rows.satisfied_at - rows.step, price)
        return -np.minimum(steps, price).astype(np.float64)
    # Rows are sorted by scenario and step: the sum to the end is a difference of running sums.
    total = np.cumsum(rows.reward)
    last = np.searchsorted(rows.scenario, rows.scenario, side="right") - 1
    found: NDArray[np.float64] = total[last] - total + rows.reward
    return found
