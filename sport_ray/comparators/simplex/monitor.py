"""The monitor: P(violation | observation, time), if the task policy acts once and then the base.

Two logistic regressions by small networks. The first, V, is of the base alone, from the steps
after a hand-over and what became of their rollouts. The label of the second, Q, at a step of the
task policy is V at the next state, or the verdict where the step settles it: the mean over the
rest of the rollout, with a fraction of its noise. V is thrown away.
"""

from __future__ import annotations

import copy
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sport_ray.comparators.simplex.behaviour import risk_of, seen_with_time
from sport_ray.comparators.simplex.hand_over import HandOvers
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.network import Width
from sport_ray.policies.observations import Normalization
from sport_ray.policies.threads import one_thread

Array = NDArray[np.float64]
HELD_OUT = 5
"""One rollout in so many is not learned from, and says when to stop."""
_LOOKS = 20
_FLOOR = 0.05
"""Of a normalised entry's spread: one that hardly ever moves is not blown up."""


class MonitorOptions(BaseModel):
    """How a monitor is built and learned; weights are those of the least loss on what is held out.

    hidden: widths. updates: batches of each of the two networks. lr: falls to 0 in a cosine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: tuple[Width, ...] = (64, 64)
    updates: Annotated[int, Field(ge=1)] = 1_000
    batch_size: Annotated[int, Field(ge=1)] = 512
    lr: Annotated[float, Field(gt=0.0)] = 3e-3


def learned_monitor(
    given: HandOvers, horizon: int, options: MonitorOptions, seed: int
) -> tuple[PolicyNetwork, float]:
    """The monitor, and its loss (nats) where nothing was learned from.

    A function of the arguments alone: one thread, its own generator.

    Raises:
        UserError: too few rollouts to learn from.
        ArithmeticError: weights that are not finite.
    """
    steps = given.steps
    seen = seen_with_time(steps.observation.astype(np.float64), steps.step, horizon)
    generator = torch.Generator().manual_seed(seed)
    with one_thread():
        after = given.base_to_end
        base, _ = _fitted(
            seen[after], given.violated[after], steps.scenario[after], options, generator
        )
        labels = given.violated.astype(np.float64)
        acts, goes_on = given.task_acts, given.task_acts & ~given.settles
        # Rows are sorted by rollout and step: the next one is of the next state.
        following = np.flatnonzero(goes_on) + 1
        labels[goes_on] = risk_of(
            FrozenPolicy(base), steps.observation[following], steps.step[following], horizon
        )
        return _fitted(seen[acts], labels[acts], steps.scenario[acts], options, generator)


def _fitted(
    seen: Array,
    labels: NDArray[np.generic],
    rollouts: NDArray[np.int64],
    options: MonitorOptions,
    generator: torch.Generator,
) -> tuple[PolicyNetwork, float]:
    """A law over {holds, violates} of what is seen (m, O + 1), by the labels' cross entropy.

    labels: P(violates), (m,). rollouts: which each is of, (m,).
    """
    held_out = rollouts % HELD_OUT == 0
    if held_out.all() or not held_out.any():
        raise UserError(
            f"{len(np.unique(rollouts))} hand-over rollouts are too few to learn a monitor from: "
            "raise task_policies.simplex.hand_overs"
        )
    network = _fresh(seen[~held_out], options, generator)
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, weight_decay=1e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.updates)
    x, y = (torch.from_numpy(np.asarray(one, dtype=np.float32)) for one in (seen, labels))
    apart = torch.from_numpy(held_out)
    x, tested, y, wanted = x[~apart], x[apart], y[~apart], y[apart]
    best, least = copy.deepcopy(network.state_dict()), _loss(network, tested, wanted).item()
    every = max(options.updates // _LOOKS, 1)
    for update in range(1, options.updates + 1):
        at = torch.randint(len(x), (options.batch_size,), generator=generator)
        optimizer.zero_grad()
        _loss(network, x[at], y[at]).backward()
        optimizer.step()
        cosine.step()
        if update % every == 0:
            with torch.no_grad():
                found = _loss(network, tested, wanted).item()
            if found < least:
                best, least = copy.deepcopy(network.state_dict()), found
    network.load_state_dict(best)
    if not all(torch.isfinite(one).all() for one in network.parameters()):
        raise ArithmeticError("learning the monitor diverged: its weights are not finite")
    return network, least


def _loss(network: PolicyNetwork, seen: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy, nats."""
    logs = torch.log_softmax(network.body(network.features(seen)), dim=-1)
    return -(labels * logs[:, 1] + (1.0 - labels) * logs[:, 0]).mean()


def _fresh(seen: Array, options: MonitorOptions, generator: torch.Generator) -> PolicyNetwork:
    """A network that knows nothing, with the normalisation of what it will see."""
    spec = PolicySpec(
        observation_size=seen.shape[1],
        action_size=1,
        hidden=options.hidden,
        activation="tanh",
        squash="index",
        action_low=(0.0,),
        action_high=(1.0,),
        normalization=Normalization(
            mean=tuple(seen.mean(0).tolist()),
            scale=tuple((seen.std(0) + _FLOOR).tolist()),
            clip=20.0,
        ),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return PolicyNetwork(spec).float()
