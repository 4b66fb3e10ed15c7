"""Verdicts on many trajectories in tensors: ``Property.evaluate`` where the traces are.

The same two evaluations, robustness and automaton, which must agree, by the same functions of nodes
and propositions; min, max and a finite automaton's table have the same results on every device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sport_ray.properties.automaton import patterns
from sport_ray.properties.monitor import automaton_over
from sport_ray.properties.property import NEVER, Compiled, compiled
from sport_ray.properties.robustness import node_values

_NUMBERS = 2**28
"""Numbers held at a time, some 2 GB."""


class DeviceVerdict(NamedTuple):
    """As ``properties.property.Verdict``, (n,) each; ``verdicts`` are its by_step in bytes.

    verdicts: (n, ⌈T_max/8⌉) uint8 as ``rollouts.outcomes.pack_verdicts`` makes them.
    """

    robustness: Tensor
    verdicts: Tensor
    satisfied_at: Tensor
    violated_at: Tensor


def judge(formula: str, signals: Mapping[str, Tensor], lengths: Tensor) -> DeviceVerdict:
    """Judge n trajectories.

    Args:
        formula: a property's.
        signals: for each proposition (L, n) float64, state 0 first, free of NaN up to each end.
        lengths: states of each, (n,) int64, 1 … L.

    Raises:
        RuntimeError: the two evaluations disagree (must never happen).
    """
    built = compiled(formula)
    states, count = next(iter(signals.values())).shape
    rows = max(1, _NUMBERS // (states * (built.num_nodes + 4)))
    parts = []
    for first in range(0, max(count, 1), rows):
        chosen = slice(first, first + rows)
        some = {name: values[:, chosen] for name, values in signals.items()}
        parts.append(_judge(built, some, lengths[chosen]))
    return DeviceVerdict(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _judge(built: Compiled, signals: Mapping[str, Tensor], lengths: Tensor) -> DeviceVerdict:
    value = _robustness(built, signals, lengths)
    verdicts, last, satisfied_at, violated_at = _read(built, signals, lengths)
    if not bool((last == (value >= 0.0)).all()):
        raise RuntimeError("the automaton and the robustness of a property disagree")
    return DeviceVerdict(value, verdicts, satisfied_at, violated_at)


def _read(
    built: Compiled, signals: Mapping[str, Tensor], lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(verdict bytes, verdict on the whole, first good step, first bad step)."""
    automaton = built.automaton
    device = lengths.device
    table, letters, accepts, good, bad = (
        torch.from_numpy(one).to(device)
        for one in (
            automaton.table.astype("int64"),
            automaton.letters,
            automaton.accepts,
            automaton.good,
            automaton.bad,
        )
    )
    stay = len(automaton.letters)
    letter = torch.searchsorted(letters, patterns(built.form, automaton.parts, signals, torch))
    states, count = letter.shape
    now = torch.full((count,), automaton.start, dtype=torch.int64, device=device)
    verdicts = torch.zeros((count, -(-(states - 1) // 8)), dtype=torch.uint8, device=device)
    satisfied_at = torch.full((count,), NEVER, dtype=torch.int64, device=device)
    violated_at = satisfied_at.clone()
    for t in range(states):
        now = table[now, torch.where(t < lengths, letter[t], stay)]
        if t:
            byte, bit = divmod(t - 1, 8)
            verdicts[:, byte] |= accepts[now].to(torch.uint8) << (7 - bit)
        for found, ends in ((satisfied_at, good), (violated_at, bad)):
            found.masked_fill_((found == NEVER) & ends[now], t)
    return verdicts, accepts[now], satisfied_at, violated_at


def _robustness(built: Compiled, signals: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
    states = len(next(iter(signals.values())))
    # Row j is the state with j more to come, as in properties.robustness.
    at = torch.arange(states, device=lengths.device)[:, None]
    reverse = (lengths[None, :] - 1 - at).clamp(min=0)
    reversed_signals = {name: values.gather(0, reverse) for name, values in signals.items()}
    values = node_values(built.form, built.root, reversed_signals, torch)
    return values.gather(0, (lengths - 1)[None, :])[0]


class DeviceMonitors:
    """As ``properties.monitor.Monitors``, of n trajectories that all go on; nothing waits for it.

    given: names of the columns of signals (n, K), float or all Booleans.

    Raises:
        UserError: as there.
    """

    def __init__(
        self, formula: str, count: int, given: Sequence[str], who: str, device: torch.device
    ) -> None:
        automaton, self._columns = automaton_over(formula, given, who)
        self._form, self._parts, self._start = automaton.form, automaton.parts, automaton.start
        self._letters = torch.from_numpy(automaton.letters).to(device)
        self._table = torch.from_numpy(automaton.table.astype("int64")).to(device)
        self._bad = torch.from_numpy(automaton.bad).to(device)
        self._accepts = torch.from_numpy(automaton.accepts).to(device)
        self._now = torch.full((count,), automaton.start, dtype=torch.int64, device=device)

    def begin(self, mask: Tensor, signals: Tensor) -> None:
        """New trajectories where ``mask`` (n,), with the signals (n, K) of their first states."""
        self._now.copy_(
            torch.where(mask, self._table[self._start][self._letter(signals)], self._now)
        )

    def read(self, signals: Tensor) -> Tensor:
        """Whether each is violated for good, (n,) bool, with its next state; free of NaN."""
        self._now.copy_(self._table[self._now, self._letter(signals)])
        return self._bad[self._now]

    def accepts(self) -> Tensor:
        """Whether each satisfies the property if it ends here, (n,) bool."""
        return self._accepts[self._now]

    def _letter(self, signals: Tensor) -> Tensor:
        values = signals * 2.0 - 1.0 if signals.dtype == torch.bool else signals
        named = {name: values[:, column].contiguous() for name, column in self._columns.items()}
        return torch.searchsorted(self._letters, patterns(self._form, self._parts, named, torch))
