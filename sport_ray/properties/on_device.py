"""Verdicts on many trajectories in tensors: ``Property.evaluate`` where the traces are.

The same two evaluations, robustness and automaton, which must agree; min and max and the table of
a finite automaton have the same results on every device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sport_ray.properties.automaton import Automaton
from sport_ray.properties.normal_form import FALSE, TRUE, NormalForm
from sport_ray.properties.property import NEVER, compiled_form

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
    form, root, num_nodes, automaton = compiled_form(formula)
    states, count = next(iter(signals.values())).shape
    rows = max(1, _NUMBERS // (states * (num_nodes + 4)))
    parts = []
    for first in range(0, max(count, 1), rows):
        chosen = slice(first, first + rows)
        some = {name: values[:, chosen] for name, values in signals.items()}
        parts.append(_judge(form, root, automaton, some, lengths[chosen]))
    return DeviceVerdict(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _judge(
    form: NormalForm,
    root: int,
    automaton: Automaton,
    signals: Mapping[str, Tensor],
    lengths: Tensor,
) -> DeviceVerdict:
    value = _robustness(form, root, signals, lengths)
    verdicts, last, satisfied_at, violated_at = _read(automaton, form, signals, lengths)
    if not bool((last == (value >= 0.0)).all()):
        raise RuntimeError("the automaton and the robustness of a property disagree")
    return DeviceVerdict(value, verdicts, satisfied_at, violated_at)


def _read(
    automaton: Automaton, form: NormalForm, signals: Mapping[str, Tensor], lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(verdict bytes, verdict on the whole, first good step, first bad step)."""
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
    some = next(iter(signals.values()))
    states, count = some.shape
    pattern = torch.zeros_like(some, dtype=torch.int64)
    for bit, part in enumerate(automaton.parts):
        pattern |= (_node_values(form, part, signals) >= 0.0).to(torch.int64) << bit
    letter = torch.searchsorted(letters, pattern)
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


def _robustness(
    form: NormalForm, root: int, signals: Mapping[str, Tensor], lengths: Tensor
) -> Tensor:
    states = len(next(iter(signals.values())))
    # Row j is the state with j more to come, as in properties.robustness.
    at = torch.arange(states, device=lengths.device)[:, None]
    reverse = (lengths[None, :] - 1 - at).clamp(min=0)
    reversed_signals = {name: values.gather(0, reverse) for name, values in signals.items()}
    values = _node_values(form, root, reversed_signals)
    return values.gather(0, (lengths - 1)[None, :])[0]


def _node_values(form: NormalForm, root: int, signals: Mapping[str, Tensor]) -> Tensor:
    """ρ of one node at every state; axis 0 of the signals counts the states still to come."""
    some = next(iter(signals.values()))
    values: dict[int, Tensor] = {}
    for index in form.below(root):
        node = form.nodes[index]
        if index in (FALSE, TRUE):
            value = torch.full_like(some, torch.inf if index == TRUE else -torch.inf)
        elif node.op == "literal":
            value = signals[node.name] if node.positive else -signals[node.name]
        elif node.op in ("and", "or"):
            reduce = torch.minimum if node.op == "and" else torch.maximum
            value = values[node.args[0]]
            for arg in node.args[1:]:
                value = reduce(value, values[arg])
        elif node.op in ("next", "weak next"):
            beyond = -torch.inf if node.op == "next" else torch.inf
            value = _later(values[node.args[0]], 1, beyond)
        elif node.op == "until":
            value = _until(values[node.args[0]], values[node.args[1]], node.low, node.high)
        else:
            value = -_until(-values[node.args[0]], -values[node.args[1]], node.low, node.high)
        values[index] = value
    return values[root]


def _later(values: Tensor, steps: int, beyond: float) -> Tensor:
    """The values ``steps`` steps later, and ``beyond`` where the trace has ended by then."""
    out = torch.full_like(values, beyond)
    if steps < len(values):
        out[steps:] = values[: len(values) - steps]
    return out


def _held(values: Tensor, steps: int) -> Tensor:
    """The minimum over the next ``steps`` states, at least 1, the present one included."""
    size = 1
    while size < steps:
        step = min(size, steps - size)
        values = torch.minimum(values, _later(values, step, torch.inf))
        size += step
    return values


def _until(left: Tensor, right: Tensor, low: int, high: int | None) -> Tensor:
    """ρ of left U[low, high] right, by windows of doubling width: properties.robustness."""
    last = len(right) - 1
    if low > last:
        return torch.full_like(right, -torch.inf)
    width = (last if high is None else min(high, last)) - low + 1
    held, best, size = left, right, 1
    while size < width:
        step = min(size, width - size)
        best = torch.maximum(best, torch.minimum(held, _later(best, step, -torch.inf)))
        held = torch.minimum(held, _later(held, step, torch.inf))
        size += step
    if low == 0:
        return best
    return torch.minimum(_held(left, low), _later(best, low, -torch.inf))
