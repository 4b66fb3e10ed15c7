"""Learn the critic of a base from its episodes: first by what followed, then by its own laws.

The label of a step in the first stage is what followed it in its episode. Then it is the critic's
law at the next state, averaged over draws of the base there and moved by the reward (the expected
SARSA of distributions; Sutton 1988; Bellemare et al. 2017, arXiv 1707.06887): the same mean with a
fraction of the noise. On the point robot that took selection from 64% to 90% of the ceiling.

With a ``limit`` the average over the draws leans on the better ones, as a choice within that ratio
would: then the critic's law is of what follows if the *selection* goes on (policy iteration).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from sport_ray.errors import UserError
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.limits import MOST_LAYERS
from sport_ray.policies.network import Width
from sport_ray.policies.observations import Normalization
from sport_ray.policies.threads import one_thread
from sport_ray.selection.scores.atoms import Atoms
from sport_ray.selection.scores.critic_data import CriticData
from sport_ray.selection.scores.network import Inputs, ScoreNetwork, ScoreSpec

Rate = Annotated[float, Field(gt=0.0, le=1.0)]
_Label = Callable[[Tensor], Tensor]
_CHUNK = 65_536
_IDENTITY = ActionMapping("none")


class CriticOptions(BaseModel):
    """How a critic is built and learned; the defaults are those measured on the point robot.

    averaging: weight of the newest weights in the running average, per batch; the average gives
    the labels and is what is returned. The learning rate falls geometrically in either stage.
    limit: log of the constant ratio that the policy to come may have to the base, nats; None: the
    base goes on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)] = (256, 256)
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=MOST_LAYERS)] = (128, 64)
    outcome_updates: Annotated[int, Field(ge=1, le=10**8)] = 1_000
    bootstrap_updates: Annotated[int, Field(ge=0, le=10**8)] = 8_000
    batch_size: Annotated[int, Field(ge=1, le=10**6)] = 512
    lr: Rate = 1e-3
    final_lr: Rate = 5e-5
    averaging: Rate = 0.01
    limit: Annotated[float, Field(ge=0.0)] | None = None


def spec_of(
    data: CriticData,
    atoms: Atoms,
    options: CriticOptions,
    mapping: ActionMapping = _IDENTITY,
    horizon: int | None = None,
) -> ScoreSpec:
    """The architecture for these data: sizes and normalisation from them, over all rows.

    mapping: what turns a sampler's action into the environment's; horizon: if the critic is to
    see the time.
    """
    observed = data.observation.astype(np.float64)
    acted = mapping(data.action)
    floor = 1e-3
    return ScoreSpec(
        observation_size=observed.shape[1],
        action_size=acted.shape[1],
        atoms=atoms,
        embedding=options.embedding,
        hidden=options.hidden,
        squash=mapping.squash,
        action_low=mapping.action_low,
        action_high=mapping.action_high,
        normalization=Normalization(
            mean=tuple(observed.mean(0).tolist()),
            scale=tuple((observed.std(0) + floor).tolist()),
            clip=20.0,
        ),
        action_mean=tuple(acted.mean(0).tolist()),
        action_scale=tuple((acted.std(0) + floor).tolist()),
        horizon=horizon,
    )


def train_critic(
    data: CriticData,
    spec: ScoreSpec,
    options: CriticOptions,
    seed: int,
    start: ScoreNetwork | None = None,
) -> tuple[ScoreNetwork, list[float]]:
    """The critic of the base, and the mean cross entropy (nats) of each tenth of a stage.

    A function of the arguments alone: one thread, its own generators.

    start: a critic to go on from, by its own laws alone, so that the data may be any policy's;
    without it they are the base's, whose outcomes are learned first.

    Raises:
        ValueError: a start of another architecture.
        UserError: a training that ends in numbers that are not finite.
    """
    if start is not None and start.spec != spec:
        raise ValueError("the critic to start from has another architecture than is asked for")
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ScoreNetwork(spec).float()
        if start is not None:
            network.load_state_dict(start.state_dict())
        found = _Training(data, network, options, seed)
        losses = [] if start is not None else found.by_outcome()
        losses += found.by_own_laws()
    if not np.isfinite(losses).all():
        raise UserError(f"the critic's training diverged (losses {losses}): lower lr")
    return found.average.requires_grad_(False), losses


def greedy_shares(count: int, limit: float) -> Tensor:
    """Probability (C,) of the best draw, the second best, …: e^limit / C while there is any left.

    The largest mean within the ratio to uniform draws. limit: nats, ≥ 0; inf: all for the best.

    >>> greedy_shares(4, math.log(1.6)).tolist()
    [0.4000000059604645, 0.4000000059604645, 0.20000000298023224, 0.0]
    """
    cap = min(math.exp(min(limit, 700.0)) / count, 1.0)
    left = 1.0 - cap * torch.arange(count, dtype=torch.float64)
    return left.clamp(min=0.0, max=cap).float()


class _Training:
    """The arrays as the network sees them, the network and its running average."""

    def __init__(
        self, rows: CriticData, network: ScoreNetwork, options: CriticOptions, seed: int
    ) -> None:
        self.network, self.options = network, options
        self.average = copy.deepcopy(network)
        self.atoms = network.spec.atoms
        self.generator = np.random.Generator(np.random.PCG64(seed))
        inputs = Inputs(network.spec)
        self.observation = _in_chunks(
            lambda at: inputs.observations(rows.observation[at], rows.step[at]), len(rows)
        )
        self.action = _in_chunks(lambda at: inputs.actions(rows.action[at]), len(rows))
        self.candidates = _in_chunks(lambda at: inputs.actions(rows.candidates[at]), len(rows))
        self.reward = torch.from_numpy(rows.reward.astype(np.float64))
        self.following = torch.from_numpy(rows.following)
        self.failed = torch.from_numpy(rows.failed)
        returns, failed = rows.outcomes()
        self.returns, self.will_fail = torch.from_numpy(returns), torch.from_numpy(failed)

    def by_outcome(self) -> list[float]:
        """Updates on what followed in the episode."""
        found = self._updates(self.options.outcome_updates, self._outcome)
        self.average.load_state_dict(self.network.state_dict())
        return found

    def by_own_laws(self) -> list[float]:
        """Updates on the averaged critic's law at the next state."""
        return self._updates(self.options.bootstrap_updates, self._bootstrapped)

    def _outcome(self, rows: Tensor) -> Tensor:
        return self.atoms.of_values(self.returns[rows], self.will_fail[rows])

    @torch.no_grad()
    def _bootstrapped(self, rows: Tensor) -> Tensor:
        following = self.following[rows]
        label = self.atoms.of_values(self.reward[rows], self.failed[rows])
        inner = torch.nonzero(following >= 0)[:, 0]
        if len(inner):
            at = following[inner]
            logits = self.average(self.observation[at], self.candidates[at])
            law = self._over_draws(torch.softmax(logits, dim=-1))
            label[inner] = self.atoms.after(self.reward[rows[inner]], law)
        return label

    def _over_draws(self, laws: Tensor) -> Tensor:
        """The law (n, atoms + 1) of laws (n, C, atoms + 1) for draws of the base."""
        if self.options.limit is None:
            return laws.mean(dim=1)
        means = laws.double() @ torch.from_numpy(self.atoms.values)
        order = means.argsort(dim=1, descending=True, stable=True)
        shares = greedy_shares(laws.shape[1], self.options.limit)
        found: Tensor = (laws * shares[order.argsort(dim=1)][..., None]).sum(dim=1)
        return found

    def _updates(self, updates: int, label: _Label) -> list[float]:
        """Gradient steps on batches; the mean loss of each tenth of them."""
        options = self.options
        optimizer = torch.optim.Adam(self.network.parameters(), options.lr)
        fall = options.final_lr / options.lr
        losses = np.empty(updates)
        batches = self._batches()
        for done in range(updates):
            rows = next(batches)
            for group in optimizer.param_groups:
                group["lr"] = options.lr * fall ** (done / updates)
            logits = self.network(self.observation[rows], self.action[rows])
            loss = -(label(rows) * torch.log_softmax(logits, dim=-1)).sum(-1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            self._follow()
            losses[done] = float(loss.detach())
        parts = np.array_split(losses, min(10, updates)) if updates else []
        return [float(part.mean()) for part in parts]

    def _batches(self) -> Iterator[Tensor]:
        """Rows of a batch, for ever: each order of all rows is gone through before the next."""
        count = len(self.reward)
        size = min(self.options.batch_size, count)
        while True:
            order = torch.from_numpy(self.generator.permutation(count))
            for start in range(0, count - size + 1, size):
                yield order[start : start + size]

    @torch.no_grad()
    def _follow(self) -> None:
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        for mine, newest in pairs:
            mine.lerp_(newest, self.options.averaging)


def _in_chunks(part: Callable[[slice], NDArray[np.float32]], count: int) -> Tensor:
    """All rows of a function of some, without float64 copies of them all."""
    starts = range(0, count, _CHUNK)
    return torch.from_numpy(np.concatenate([part(slice(a, a + _CHUNK)) for a in starts]))
