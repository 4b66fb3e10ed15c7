"""Whether a tensor environment keeps to its protocol: tried out, a few steps, one line if not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sport_ray.envs.faults import is_ours_to_heed, what_happened
from sport_ray.errors import UserError
from sport_ray.tensors.environment import TensorEnvironment, TensorStep
from sport_ray.tensors.reading import floats, require_starts, require_step, what_is_wrong
from sport_ray.tensors.registry import Factory, make_from

_FIRST_SEED = 1_000
_FIELDS = TensorStep._fields


def require_tensor_environment(
    factory: Factory | str,
    *,
    num_slots: int = 4,
    horizon: int = 20,
    device: str | torch.device = "cpu",
    **kwargs: Any,
) -> None:
    """Refuse a factory whose environments break the protocol of :class:`TensorEnvironment`.

    Makes three environments, with ``num_slots``, as many, and one slot, and lives through some
    episodes of ``horizon`` steps with random actions: for an author's tests, not for each run.
    What it compares it compares to the bit, since a scenario must be the same in every batch.

    Raises:
        UserError: the first thing that is wrong, in one line.
        ValueError: fewer than 3 slots or 2 steps, which show nothing.
    """
    if num_slots < 3 or horizon < 2:
        raise ValueError(f"expected num_slots ≥ 3 and horizon ≥ 2, got {num_slots} and {horizon}")
    try:
        _Trial(factory, num_slots, horizon, device, kwargs).run()
    except BaseException as error:
        if is_ours_to_heed(error):
            raise
        cause = None if isinstance(error, UserError) else error
        raise UserError(f"tensor environment: {what_happened(error)}") from cause


State = dict[str, Tensor]
"""What was handed out in a state, (n, …) by its name."""


class _Lived(NamedTuple):
    """Episodes: states 0 … H of every slot, and the steps that each lasted, (n,)."""

    states: list[State]
    lengths: Tensor


class _Trial:
    def __init__(
        self,
        factory: Factory | str,
        num_slots: int,
        horizon: int,
        device: str | torch.device,
        kwargs: Mapping[str, Any],
    ) -> None:
        self.num_slots, self.horizon = num_slots, horizon
        self._factory, self._device = factory, device
        self._arguments = {**kwargs, "horizon": horizon}
        self.seeds = torch.arange(num_slots) * 7 + _FIRST_SEED

    def _made(self, num_slots: int) -> TensorEnvironment:
        return make_from(self._factory, num_slots, self._arguments, self._device)

    def run(self) -> None:
        """All that is tried, in the order in which it is best mended."""
        first = self._made(self.num_slots)
        actions = _actions(first, self.horizon + 1, self.num_slots, 0)
        wanted = self._live(first, self.seeds, actions)
        self._require_ends(wanted)
        again = self._made(self.num_slots)
        self._require_same(
            wanted,
            self._live(again, self.seeds, actions),
            "the same seeds gave other episodes in a second environment: draw what is random from "
            "the slot's seed alone (sport_ray.tensors.uniforms)",
        )
        self._require_same(
            wanted,
            self._live(first, self.seeds, actions),
            "the same seeds gave other episodes after earlier ones: reset must forget all",
        )
        self._require_masked(again, wanted, actions)
        others, strange = self.seeds + 1, _actions(first, self.horizon + 1, self.num_slots, 1)
        others[0], strange[:, 0] = self.seeds[0], actions[:, 0]
        self._require_same(
            wanted,
            self._live(again, others, strange),
            "a slot's episode changed with the seeds and actions of others: slots must not depend "
            "on each other",
            rows=[0],
        )
        order = torch.arange(self.num_slots).roll(1)
        moved = self._live(again, self.seeds[order], actions[:, order])
        back = order.argsort()
        self._require_same(
            wanted,
            _Lived([_rows(state, back) for state in moved.states], moved.lengths[back]),
            "an episode changed with the slot that it is in: it must follow from its seed alone",
        )
        alone = self._live(self._made(1), self.seeds[:1], actions[:, :1])
        self._require_same(
            wanted,
            alone,
            "an episode changed with the number of slots: it must be the same in every batch",
            rows=[0],
        )

    def _live(
        self,
        environment: TensorEnvironment,
        seeds: Tensor,
        actions: Tensor,
        masked: tuple[int, int] | None = None,
    ) -> _Lived:
        """From a reset of all slots to the horizon; masked: reset a slot again after a step."""
        count = environment.num_slots
        ended = torch.zeros(count, dtype=torch.bool)
        lengths = torch.full((count,), self.horizon + 1)
        handed = [self._start(environment, torch.ones(count, dtype=torch.bool), seeds)]
        kept = [_copies(handed[0])]
        for number in range(1, len(actions)):
            given = actions[number - 1].to(environment.device)
            before = given.clone()
            step = require_step(environment, environment.step(given))
            if not torch.equal(given, before):
                raise UserError("step() wrote into the actions: copy them first")
            state = dict(zip(_FIELDS, step, strict=True))
            self._require_right(environment, state, f"step {number}", ~ended)
            handed.append(state)
            kept.append(_copies(state))
            _require_kept(handed[-2], kept[-2])
            over = (step.terminated | step.truncated).cpu()
            lengths = torch.where(over & ~ended, torch.tensor(number), lengths)
            ended |= over
            if masked is not None and number == masked[1]:
                mask = torch.zeros(count, dtype=torch.bool)
                mask[masked[0]] = True
                self._start(environment, mask, seeds + 1)
                ended |= mask  # what follows there is another episode
        _require_kept(handed[0], kept[0])
        return _Lived(kept, lengths)

    def _start(self, environment: TensorEnvironment, mask: Tensor, seeds: Tensor) -> State:
        chosen, given = mask.to(environment.device), seeds.to(environment.device)
        before = chosen.clone(), given.clone()
        observation, signals = require_starts(environment, environment.reset(chosen, given))
        if not (torch.equal(chosen, before[0]) and torch.equal(given, before[1])):
            raise UserError("reset() wrote into its mask or its seeds: copy them first")
        state = {"observation": observation, "signals": signals}
        self._require_right(environment, state, "reset", mask)
        return state

    def _require_right(
        self, environment: TensorEnvironment, state: State, when: str, live: Tensor
    ) -> None:
        rows = live.numpy()
        seen, signals = floats(state["observation"])[rows], floats(state["signals"])[rows]
        paid = floats(state["reward"])[rows] if "reward" in state else None
        wrong = what_is_wrong(environment.signal_names, seen, signals, paid)
        if wrong is not None:
            slot = int(np.flatnonzero(rows)[wrong[0]])
            raise UserError(f"slot {slot}, {when}: {wrong[1]}")

    def _require_ends(self, lived: _Lived) -> None:
        late = torch.nonzero(lived.lengths > self.horizon).flatten().tolist()
        if late:
            raise UserError(
                f"slot {late[0]} went on after {self.horizon} steps, its horizon: truncate there"
            )

    def _require_masked(
        self, environment: TensorEnvironment, wanted: _Lived, actions: Tensor
    ) -> None:
        """A reset of slot 1 on the way leaves the episodes of the others as they are."""
        lived = self._live(environment, self.seeds, actions, masked=(1, self.horizon // 2))
        rows = [slot for slot in range(self.num_slots) if slot != 1]
        self._require_same(
            wanted, lived, "a reset of one slot changed the episode in another", rows=rows
        )

    def _require_same(
        self, wanted: _Lived, found: _Lived, what: str, rows: list[int] | None = None
    ) -> None:
        """To the bit, up to each episode's end."""
        for slot in range(self.num_slots) if rows is None else rows:
            for number, (one, other) in enumerate(zip(wanted.states, found.states, strict=True)):
                if number > wanted.lengths[slot]:
                    break
                for name, values in one.items():
                    mine, theirs = values[slot], other[name][slot]
                    if not _equal(mine, theirs):
                        when = f"step {number}" if number else "reset"
                        apart = (mine.double() - theirs.double()).abs().max().item()
                        raise UserError(f"{what} (slot {slot}, {when}: {name}, {apart:.2g} apart)")


def _require_kept(handed: State, kept: State) -> None:
    for name, value in kept.items():
        if not _equal(handed[name], value):
            raise UserError(
                f"{name} was handed out and then written to by a later step: return {name}.clone()"
            )


def _copies(state: State) -> State:
    return {name: value.clone() for name, value in state.items()}


def _rows(state: State, order: Tensor) -> State:
    return {name: value[order.to(value.device)] for name, value in state.items()}


def _equal(one: Tensor, other: Tensor) -> bool:
    """The same bits of value; NaN, in rows that mean nothing, is like NaN."""
    same = one == other
    if one.is_floating_point():
        same |= one.isnan() & other.isnan()
    return bool(same.all())


def _actions(environment: TensorEnvironment, steps: int, slots: int, seed: int) -> Tensor:
    """Random actions (steps, n, A) within the space's bounds; of indices (steps, n)."""
    from gymnasium import spaces

    space = environment.action_space
    generator = np.random.default_rng(seed)
    if isinstance(space, spaces.Discrete):
        first, count = int(space.start), int(space.n)
        return torch.from_numpy(first + generator.integers(count, size=(steps, slots)))
    low, high = np.maximum(space.low, -1.0), np.minimum(space.high, 1.0)
    drawn = generator.uniform(low, high, (steps, slots, *space.shape))
    return torch.from_numpy(drawn.astype(space.dtype))
