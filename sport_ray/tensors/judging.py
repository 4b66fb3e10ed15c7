"""Scenarios that have ended, judged where their traces are; columns of the outcome table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sport_ray.properties import parse_property
from sport_ray.properties.on_device import judge
from sport_ray.rollouts.judging import Array, Finished, Judge, Settled, rows_of
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.signal_kinds import Kind, SignalKinds, where_of_each_kind
from sport_ray.rollouts.slots import ScenarioEnvironment
from sport_ray.rollouts.tally import Tally


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

    def on_host(self, trace: Array) -> Finished:
        """All but the traces in arrays, with these traces instead."""
        return Finished(
            index=np.arange(self.first, self.first + len(self.length)),
            length=self.length.cpu().numpy(),
            trace=trace,
            cut=self.cut.cpu().numpy(),
            rewards=self.rewards.cpu().numpy(),
            sums=self.sums.T.contiguous().cpu().numpy().T,  # as columns of a table
            largest=self.largest.cpu().numpy(),
            furthest=self.furthest.cpu().numpy(),
        )


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
    judged.add(portion.on_host(np.ascontiguousarray(portion.trace.transpose(0, 1).numpy())))
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
    settled = Settled(*(column.cpu().numpy() for column in found))
    nothing = np.empty((len(states), 0, len(signals)))  # the traces stay where they were judged
    return rows_of(portion.on_host(nothing), settled, plan.env_id, plan.horizon, tally)


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
        has = where_of_each_kind(values)
        flags = torch.stack([(there & inside).any() for there in has.values()]).tolist()
        found: set[Kind] = {kind for kind, there in zip(has, flags, strict=True) if there}
        if name in booleans:
            found = {"Boolean"}
        elif bool((values[0] != 0.0).any()):
            found.add("begun")
        kinds.kinds.setdefault(name, set()).update(found)
