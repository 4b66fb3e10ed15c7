"""From the steps of an iteration to the batches of all cells: checks, advantages, columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sport_ray.families.gaussian.device.formulas import max_log_ratio
from sport_ray.families.gaussian.distribution import Gaussian
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device import health as faults
from sport_ray.projected_ppo.cohort.device.health import Health
from sport_ray.projected_ppo.cohort.device.plan import Plan
from sport_ray.projected_ppo.cohort.device.rollout import Record

DISTANCES = (
    "max_log_ratio",
    "projected_share",
    "mean_log_ratio",
    "kl_to_base",
    "task_distance",
)
"""What is told of stored distributions, as ``checks.checked`` tells it."""


class Checks:
    """Every number of a batch finite, every stored ratio within its limit, cell by cell.

    The ratio is evaluated in float64 on the float32 numbers that actions were drawn from, by other
    code than projected them.
    """

    def __init__(self, limits: Tensor, free: Tensor, health: Health) -> None:
        self._limits = torch.where(free, torch.inf, limits)
        self._free, self._health = free, health
        self.distances = torch.zeros(
            (len(limits), len(DISTANCES)), dtype=torch.float64, device=limits.device
        )

    def __call__(self, record: Record) -> None:
        """Fail the cells whose numbers are not as promised."""
        cells = len(self._limits)

        def whole(good: Tensor) -> Tensor:
            """Whether it holds in all of a cell's rows (T, N, …)."""
            return good.view(len(good), cells, -1).all(-1).all(0)

        health = self._health
        seen = torch.isfinite(record.observation) & torch.isfinite(record.after)
        health.fail(~whole(seen), faults.OBSERVATION)
        health.fail(~whole(torch.isfinite(record.reward)), faults.REWARD)
        numbers = torch.isfinite(record.laws).all(-1) & torch.isfinite(record.action).all(-1)
        health.fail(~whole(numbers), faults.POLICY)
        mean, std, base_mean, base_std, task_mean, task_std = record.laws.chunk(6, dim=-1)
        ratio = max_log_ratio(mean, std, base_mean, base_std)
        per_cell = ratio.view(len(ratio), cells, -1)
        within = per_cell <= self._limits[:, None]
        # NaN is within nothing; without a constraint there is no ratio to look at.
        health.fail(~(whole(within) | self._free), faults.RATIO)
        step, task = Gaussian(mean, std), Gaussian(task_mean, task_std)
        told = [
            step.differs(task).double(),
            ratio,
            step.kl(Gaussian(base_mean, base_std)),
            step.kl(task),
        ]
        means = [one.view(len(one), cells, -1).mean((0, 2)) for one in told]
        found = torch.stack([per_cell.amax((0, 2)), *means], dim=1)
        self.distances.copy_(torch.where(self._free[:, None], torch.nan, found))


class Batches:
    """The rows that cells learn from, in the order of RLlib's: (K, R, W) float32, side by side.

    Columns: normalised observation (O), action (D), logp, advantage, target, and with ``base`` the
    base's mean and std (2D). Advantages are of a cell's batch, standardised (mean 0, std 1).
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        plan: Plan,
        values: Callable[[Tensor], Tensor],
        normalized: Callable[[Tensor], Tensor],
        widths: tuple[int, int],
        health: Health,
        device: torch.device,
    ) -> None:
        observations, actions = widths
        self._plan, self._values, self._normalized, self._health = plan, values, normalized, health
        self.widths = [observations, actions, 1, 1, 1]
        if plan.through_projection:
            self.widths += [actions, actions]
        shape = (len(cells), plan.rows, sum(self.widths))
        self.whole = torch.zeros(shape, dtype=torch.float32, device=device)
        self._gamma, self._lambda = (
            torch.tensor(one, dtype=torch.float64, device=device)[:, None]
            for one in ([c.gamma for c in cells], [c.lambda_ for c in cells])
        )
        self._advantages = torch.zeros(
            (plan.steps + 1, len(cells), plan.copies), dtype=torch.float64, device=device
        )

    def fill(self, record: Record) -> None:
        """With what was sampled."""
        cells = len(self.whole)
        observation = self._normalized(self._by_cell(record.observation))
        value = self._by_time(self._values(observation))
        after = self._by_time(self._values(self._normalized(self._by_cell(record.after))))
        finite = torch.isfinite(value) & torch.isfinite(after)
        self._health.fail(~finite.all(-1).all(0), faults.VALUE)
        ends = record.ends.view(self._plan.steps, cells, -1)
        reward = record.reward.view_as(value)
        advantage = self._estimate(reward, value, after, ends)
        target = self._by_cell((advantage + value).flatten(1)[..., None])
        raw = self._by_cell(advantage.flatten(1)[..., None])
        spread = raw.std(1, unbiased=False, keepdim=True).clamp(min=1e-4)
        laws = self._by_cell(record.laws)
        mean, std, base_mean, base_std, *_ = laws.chunk(6, dim=-1)
        action = self._by_cell(record.action)
        logp = Gaussian(mean, std).log_prob(action)[..., None]
        standard = (raw - raw.mean(1, keepdim=True)) / spread
        columns = [observation, action, logp, standard.float(), target.float()]
        if self._plan.through_projection:
            columns += [base_mean, base_std]
        rows = torch.cat(columns, dim=-1)
        if self._plan.copies > 1:
            order = rllib_order(ends)
            rows = rows.gather(1, order[..., None].expand_as(rows))
        self.whole.copy_(rows)

    def _estimate(self, reward: Tensor, value: Tensor, after: Tensor, ends: Tensor) -> Tensor:
        """As ``gae.generalised_advantages``, (T, K, n); the last state of an episode is known."""
        goes_on, whole = (ends != 1).double(), (ends == 0).double()
        residual = reward + self._gamma * goes_on * after - value
        carry = self._gamma * self._lambda * whole
        found = self._advantages
        for step in reversed(range(self._plan.steps)):
            torch.addcmul(residual[step], carry[step], found[step + 1], out=found[step])
        return found[:-1]

    def _by_cell(self, column: Tensor) -> Tensor:
        """(T, K·n, …) as (K, T·n, …)."""
        apart = column.unflatten(1, (len(self.whole), self._plan.copies))
        found: Tensor = apart.transpose(0, 1).flatten(1, 2)
        return found

    def _by_time(self, column: Tensor) -> Tensor:
        """(K, T·n) as (T, K, n) float64."""
        apart = column.double().unflatten(1, (self._plan.steps, -1))
        found: Tensor = apart.transpose(0, 1).contiguous()
        return found


def rllib_order(ends: Tensor) -> Tensor:
    """Rows t·n + i in RLlib's order, (K, T·n), of ends (T, K, n): see ``Fragment.rows``.

    Episode by episode: those that ended by the time of their end, then those that go on, by copy.
    """
    steps, _, copies = ends.shape
    time = torch.arange(steps, device=ends.device)[:, None, None]
    end = torch.where(ends != 0, time, steps)
    end = torch.cummin(end.flip(0), dim=0).values.flip(0)
    copy = torch.arange(copies, device=ends.device)
    key = ((end * copies + copy) * steps + time).transpose(0, 1).flatten(1)
    return torch.argsort(key, dim=1)
