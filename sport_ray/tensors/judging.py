"""Scenarios that have ended, judged where their traces are; columns of the outcome table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.properties import NEVER, parse_property
from sport_ray.properties.on_device import judge
from sport_ray.rollouts.judging import Finished, Judge
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.signal_kinds import Kind, SignalKinds
from sport_ray.rollouts.slots import ScenarioEnvironment
from sport_ray.rollouts.tally import ScenarioAborted, Tally


@dataclass
class Portion:
    """m scenarios from ``first`` on, in tensors of one device; ``rollouts.judging.Finished``.

    length (m,) int64; trace (T_max + 1, m, K), state 0 first; cut (m,) bool; rewards, largest,
    furthest (m,); sums (m, 5).
    """

    first: int
    length: Tensor
    trace: Tensor
    cut: Tensor
    rewards: Tensor
    sums: Tensor
    largest: Tensor
    furthest: Tensor

    @classmethod
    def empty(
        cls, first: int, count: int, horizon: int, signals: int, device: torch.device
    ) -> Portion:
        """Before their first step."""

        def zeros(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        return cls(
            first,
            zeros(count, dtype=torch.int64),
            zeros(horizon + 1, count, signals).fill_(torch.nan),
            zeros(count, dtype=torch.bool),
            zeros(count),
            zeros(count, 5),
            zeros(count),
            zeros(count),
        )

    @property
    def index(self) -> NDArray[np.int64]:
        """The scenarios' numbers."""
        return np.arange(self.first, self.first + len(self.length))


def outcomes_of(
    plan: ScenarioPlan, environment: ScenarioEnvironment, portion: Portion, tally: Tally
) -> Outcomes:
    """The table of a portion whose scenarios have all ended.

    environment: for the names of Boolean signals.

    Raises:
        ScenarioAborted: one that was cut off while its verdict was open.
    """
    if portion.length.is_cuda:
        return _on_device(plan, environment, portion, tally)
    return _on_host(plan, environment, portion, tally)


def _on_host(
    plan: ScenarioPlan, environment: ScenarioEnvironment, portion: Portion, tally: Tally
) -> Outcomes:
    most = len(portion.length)
    judged = Judge(plan.property, plan.horizon, plan.env_id, environment, most, tally)
    judged.add(
        Finished(
            index=portion.index,
            length=portion.length.numpy(),
            trace=np.ascontiguousarray(portion.trace.transpose(0, 1).numpy()),
            cut=portion.cut.numpy(),
            rewards=portion.rewards.numpy(),
            sums=portion.sums.numpy(),
            largest=portion.largest.numpy(),
            furthest=portion.furthest.numpy(),
        )
    )
    return judged.outcomes()


def _on_device(
    plan: ScenarioPlan, environment: ScenarioEnvironment, portion: Portion, tally: Tally
) -> Outcomes:
    prop = parse_property(plan.property)
    states = portion.length + 1
    signals = {name: portion.trace[..., k] for k, name in enumerate(prop.signal_names)}
    found = judge(plan.property, signals, states)
    tally.finished += len(states)
    see(tally.signals, plan.property, signals, states, environment.boolean_signals)
    undecided = portion.cut & (found.satisfied_at == NEVER) & (found.violated_at == NEVER)
    if bool(undecided.any()):
        tally.aborted += int(undecided.sum())
        row = int(undecided.int().argmax())
        raise ScenarioAborted(
            f"scenario {portion.first + row} was cut off by {plan.env_id} after "
            f"{int(portion.length[row])} of {plan.horizon} steps with its verdict still open: "
            "lift the environment's own time limit, or choose a horizon within it"
        )
    sums = portion.sums.T.contiguous().cpu().numpy()
    return Outcomes(
        index=portion.index,
        length=portion.length.cpu().numpy(),
        verdicts=found.verdicts.cpu().numpy(),
        satisfied_at=found.satisfied_at.cpu().numpy(),
        violated_at=found.violated_at.cpu().numpy(),
        robustness=found.robustness.cpu().numpy(),
        total_reward=portion.rewards.cpu().numpy(),
        max_log_ratio=portion.largest.cpu().numpy(),
        sum_log_ratio=sums[0],
        sum_realised_log_ratio=sums[1],
        max_prefix_log_ratio=portion.furthest.cpu().numpy(),
        projected_steps=sums[2].astype(np.int64),
        sum_kl_to_base=sums[3],
        sum_task_distance=sums[4],
    )


def see(
    kinds: SignalKinds,
    formula: str,
    signals: dict[str, Tensor],
    lengths: Tensor,
    booleans: frozenset[str],
) -> None:
    """As ``SignalKinds.see``, of signals (L, n) on their device."""
    kinds.formula = formula
    for name, values in signals.items():
        inside = torch.arange(len(values), device=lengths.device)[:, None] < lengths
        has: dict[Kind, Tensor] = {
            "zero": values == 0.0,
            "one": values == 1.0,
            "minus one": values == -1.0,
            "negative": (values < 0.0) & (values != -1.0),
            "other": (values > 0.0) & (values != 1.0),
        }
        flags = torch.stack([(there & inside).any() for there in has.values()]).tolist()
        found: set[Kind] = {kind for kind, there in zip(has, flags, strict=True) if there}
        if name in booleans:
            found = {"Boolean"}
        elif bool((values[0] != 0.0).any()):
            found.add("begun")
        kinds.kinds.setdefault(name, set()).update(found)
