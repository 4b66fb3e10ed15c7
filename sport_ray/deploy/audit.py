"""Reading an audit log: whether it is whole, and whether every action in it was within bounds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.constraints.mixture import Mixture, is_mixture, mixture_from_json
from sport_ray.deploy.audit_lines import (
    BreachLine,
    CloseLine,
    EndLine,
    OpenLine,
    PartLine,
    ResetLine,
    StepLine,
    Wrong,
    parse_line,
)
from sport_ray.deploy.audit_log import LARGEST_LINE, read_line
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.replay import Replay
from sport_ray.deploy.seeds import drawn_part
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Distribution, family_named
from sport_ray.families.categorical.on_grid import OnGrid
from sport_ray.text import plain

Array = NDArray[np.float64]
ROUNDING = 1e-9
"""Relative: a logarithm of another processor may round otherwise; what is spent may not."""
_LONGEST = 300
"""Characters of a log's own text that are shown."""


class Check(NamedTuple):
    """One thing that was checked; ``passed`` is None where it could not be."""

    name: str
    passed: bool | None
    detail: str


def audit_log(path: Path, bundle: Bundle | None = None, expect: str | None = None) -> list[Check]:
    """Check a log line by line: the chain, the order of steps, every bound; stops at the first.

    Without a bundle the base policy's numbers are taken from the log; with it they, the task
    policy's projection and every draw are computed again from observations and seeds.

    Args:
        path: the log.
        bundle: what the policy was loaded from.
        expect: the log's digest, as ``close`` returned it.

    Raises:
        UserError: no such file, or a bundle whose base sampler has changed or is not to be run.
    """
    reader, path = _Reader(bundle), Path(path)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UserError(f"log {path} cannot be read: it is no file")
        with path.open("rb") as file:
            number = 1
            while (line := file.readline(LARGEST_LINE + 1)) and reader.takes(number, line):
                number += 1
    except OSError as error:
        raise UserError(f"log {path} cannot be read: {error.strerror}") from None
    return reader.checks(expect)


def _near(mine: float | None, its: float | None) -> bool:
    if mine is None or its is None:
        return mine is its
    return math.isfinite(mine) and abs(mine - its) <= ROUNDING * (1.0 + abs(mine))


def _require_indices(drawn: Array, sizes: Sequence[int]) -> None:
    """Refuse what is not one index (1, K) below each of these sizes."""
    found = drawn[0].tolist()
    within = (x in range(n) for x, n in zip(found, sizes, strict=False))
    if len(found) != len(sizes) or not all(within):
        raise Wrong(f"it draws {found}, no index of {', '.join(map(str, sizes))} outcomes")


class _Part(NamedTuple):
    """What an episode keeps to: the one policy of a log, or a part of its mixture."""

    constraint: Constraint
    family: type[Distribution]
    selection: bool


class _Reader:
    """Goes through the lines of a log once, with what the log itself must have at each."""

    head: OpenLine
    mixture: Mixture | None
    parts: tuple[_Part, ...]
    part: _Part  # of this episode
    state: Array

    def __init__(self, bundle: Bundle | None) -> None:
        self.bundle = bundle
        if bundle is not None:
            bundle.behaviours()  # what cannot be run here is no fault of the log
        self.replay: Replay | None = None
        self.failed: str | None = None
        self.stage = "chain"
        self.previous = ""
        self.lines = self.steps = self.breaches = self.episodes = 0
        self.base_steps = 0
        self.running = self.closed = self.broken = False
        self.step = 0
        self.furthest = -math.inf  # realised log ratio of an episode so far, its largest
        self.sum = 0.0
        self.seeds: Counter[tuple[int, ...]] = Counter()
        self.stream = 0

    def takes(self, number: int, line: bytes) -> bool:
        """Whether nothing is wrong up to this line."""
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused
                self._take(line)
        except (
            Wrong, ArithmeticError, ValueError, LookupError, TypeError, AttributeError,
            RecursionError,
        ) as error:  # fmt: skip
            reason = str(error) if isinstance(error, Wrong) else f"damaged ({error})"
            shown = plain(reason)
            shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
            self.failed = f"line {number}: {shown}"
        return self.failed is None

    def _take(self, line: bytes) -> None:
        self.stage = "chain"
        if len(line) > LARGEST_LINE:
            raise Wrong(f"it has more than {LARGEST_LINE} bytes")
        if not line.endswith(b"\n"):
            raise Wrong("it is cut off")
        record, own = read_line(line.removesuffix(b"\n"))
        if record.pop("previous") != self.previous:
            raise Wrong("the line before it is missing or another")
        if self.closed:
            raise Wrong("it comes after the last line")
        self.previous = own
        self.lines += 1
        kind = record.pop("kind")
        self.stage = "order"
        if (kind == "open") != (self.lines == 1):
            raise Wrong(f"{kind!r} is not what a log has there")
        self.stage = "bounds" if kind == "step" else "order"
        parsed = parse_line(kind, record)
        self.stage = "order"
        getattr(self, f"_take_{kind}")(parsed)

    def _take_open(self, line: OpenLine) -> None:
        self.head = line
        self.mixture = mixture_from_json(line.constraint) if is_mixture(line.constraint) else None
        if self.mixture is None:
            rules: tuple[Constraint, ...] = (constraint_from_json(line.constraint),)
            parts: list[OpenLine | PartLine] = [line]
        else:
            rules, parts = self.mixture.parts, [*(line.parts or ())]
        self.parts = tuple(
            _Part(rule, family_named(part.family), part.selection)
            for rule, part in zip(rules, parts, strict=True)
        )
        self.part = self.parts[0]
        if self.bundle is not None:
            self.stage = "bundle"
            manifest = self.bundle.manifest
            # Of a selector that was damaged when the policy was loaded, the base acts as itself.
            damaged = line.damage is not None
            plays = self.bundle.without_task() if damaged else self.bundle
            same = (
                line.bundle == self.bundle.digest
                and [(one.family, one.selects) for one in plays.each]
                == [(one.family, one.selection) for one in self.parts]
                and all(
                    getattr(line, name) == manifest[name]
                    for name in ("horizon", "constraint", "promise")
                )
            )
            if not same:
                raise Wrong("the log is of another bundle")
            self.replay = Replay(self.bundle, damaged)

    def _take_reset(self, line: ResetLine) -> None:
        self.episodes += 1
        if self.running or line.episode != self.episodes:
            raise Wrong(f"episode {line.episode} begins where {self.episodes} should")
        if line.part != self._drawn(line):
            raise Wrong(f"it keeps to part {line.part}, its seed draws {self._drawn(line)}")
        self.running, self.step, self.sum = True, 0, 0.0
        self.part = self.parts[line.part or 0]
        self.state = self.part.constraint.start(1)
        self.broken, self.stream = False, 0
        self.seeds[tuple(line.seed)] += 1
        if self.replay is not None:
            self.replay.reset(line.seed, line.part or 0)

    def _drawn(self, line: ResetLine) -> int | None:
        """The part of the mixture that the episode's own seed draws; None without a mixture."""
        if self.mixture is None:
            return None
        return drawn_part(self.mixture, tuple(line.seed))

    def _take_end(self, line: EndLine) -> None:
        if not self.running or line.step != self.step or line.episode != self.episodes:
            raise Wrong(f"episode {line.episode} ends where it does not")
        self.running = False

    def _take_breach(self, line: BreachLine) -> None:
        self._require_next(line)
        self.broken = True
        self.breaches += 1
        if line.stream < self.stream:
            raise Wrong(f"it goes back to stream {line.stream}")
        if self.replay is not None and line.stream > self.stream:
            self.replay.go_on(line.stream)
        self.stream = line.stream

    def _take_close(self, line: CloseLine) -> None:
        if self.running or line.lines != self.lines:
            raise Wrong("the log has another number of lines than it says")
        self.closed = True

    def _require_next(self, line: StepLine | BreachLine) -> None:
        if line.episode != self.episodes or line.step != self.step:
            raise Wrong(
                f"step {line.step} of episode {line.episode} where step {self.step} of episode "
                f"{self.episodes} should be"
            )

    def _take_step(self, line: StepLine) -> None:
        self._require_next(line)
        self.stage = "bounds"
        drawn = np.array([line.drawn], dtype=np.float64)
        if (line.candidates is not None) != self.part.selection:
            raise Wrong("it has candidates, of which no policy of its log chooses, or lacks them")
        if line.candidates is None:
            size = self._law_size(line, drawn)
            base = self._member(line.base or {}, size)
        else:
            size, base = line.candidates, self._uniform(line.candidates, drawn)
        chosen = base if line.chosen is None else self._member(line.chosen, size)
        before = self.state
        if line.breach is not None:
            if "base" not in (self.head.on_breach, self.head.outside):
                raise Wrong("a policy that raises on a breach acted in one")
            self.broken = True
            self.breaches += 1
        else:
            if not self.running or self.broken or self.step >= self.head.horizon:
                raise Wrong("it is outside of the promise and does not say so")
            self._check_bounds(line, chosen, base, drawn)
        self.sum += float(chosen.log_ratio(base, drawn)[0])
        self.furthest = max(self.furthest, self.sum)
        if self.replay is not None:
            self.stage = "replay"
            problem = self.replay.check(line, chosen, base, drawn, before)
            if problem is not None:
                raise Wrong(problem)
        self.step += 1
        self.steps += 1
        self.base_steps += line.played == "base"

    def _uniform(self, count: int, drawn: Array) -> Distribution:
        """The base of a choice among candidates, of which one was drawn."""
        if self.part.family is not Categorical:
            raise Wrong(f"a choice among candidates draws from no {self.part.family.name}")
        _require_indices(drawn, (count,))
        return Categorical.uniform(1, count)

    def _law_size(self, line: StepLine, drawn: Array) -> int:
        """By which the family counts: of an action, or of an index's outcomes as the base has."""
        if not issubclass(self.part.family, OnGrid):
            return int(drawn.shape[1])
        size = len((line.base or {}).get("probabilities", ()))
        _require_indices(drawn, getattr(self.part.family, "sizes", (size,)))
        return size

    def _member(self, fields: Mapping[str, Any], action_size: int) -> Distribution:
        """One member of the log's family, as a batch of one."""
        try:
            member = self.part.family.from_fields(fields)
        except ValueError as error:
            raise Wrong(f"a number is missing or wrong: {error}") from None
        if member.parameters.shape != (self.part.family.num_parameters(action_size),):
            raise Wrong("a number is missing")
        return member[None]

    def _check_bounds(
        self, line: StepLine, chosen: Distribution, base: Distribution, drawn: Array
    ) -> None:
        """Limit, distance, cost and state, each computed again from the distributions."""
        limits = self.part.constraint.limits(self.state)
        stated = math.inf if line.limit is None else line.limit
        if stated != limits[0]:
            raise Wrong(f"its limit is {line.limit}, what was left permits {limits[0]}")
        if not self.part.constraint.within(chosen, base, torch.from_numpy(limits)).all():
            raise Wrong(f"it goes further from the base policy than its limit {line.limit}")
        costs = self.part.constraint.cost(chosen, base, drawn)
        after = self.part.constraint.spend(self.state, costs)
        ratio = float(chosen.max_log_ratio(base)[0])
        largest = self.part.constraint.log_ratio_limit
        if not ratio <= largest:
            raise Wrong(f"its max log ratio {ratio} is above {largest}")
        realised = float(chosen.log_ratio(base, drawn)[0])
        for name, mine, its in (
            ("max log ratio", [ratio if math.isfinite(ratio) else None], [line.max_log_ratio]),
            ("cost", costs.tolist(), [line.cost]),
            ("log ratio", [realised if math.isfinite(realised) else None], [line.log_ratio]),
            ("state", after[0].tolist(), line.state),
        ):
            if len(mine) != len(its) or not all(map(_near, mine, its)):
                raise Wrong(f"its {name} is {its}, from its own numbers {mine}")
        self.state = np.array([line.state])  # what the next limit was computed from

    def checks(self, expect: str | None) -> list[Check]:
        """What was found, in the order in which it is checked."""
        names = ["chain", "order", *(["bundle"] if self.bundle else []), "bounds"]
        names += ["replay"] if self.bundle else []
        if self.failed is None and not self.closed:
            self.failed, self.stage = "the log was not closed: its end is missing", "chain"
        found = [self._check(name) for name in names]
        if self.bundle is None:
            found.append(Check("replay", None, "the base policy's numbers are the log's: --bundle"))
        if self.failed is None:
            found += list(self._judged(expect))
        return found

    def _check(self, name: str) -> Check:
        if self.failed is not None:
            if name == self.stage:
                return Check(name, False, self.failed)
            return Check(name, None, f"up to line {self.lines}")
        details = {
            "chain": f"{self.lines} lines, digest {self.previous}",
            "order": f"{self.episodes} episodes, {self.steps} steps",
            "bundle": f"digest {plain(self.head.bundle)[:16]}…",
            "bounds": f"every step within its limit; largest log ratio of a path: "
            f"{max(self.furthest, 0.0):.6g} nats",
            "replay": "distributions and draws computed again from observations and seeds",
        }
        return Check(name, True, details[name])

    def _judged(self, expect: str | None) -> Iterator[Check]:
        yield Check(
            "promise",
            not self.breaches,
            f"{self.breaches} times outside of the promise"
            if self.breaches
            else f"{self.base_steps} steps by the base policy, none outside of the promise",
        )
        repeated = sum(count - 1 for count in self.seeds.values())
        if repeated:
            yield Check(
                "seeds",
                None,
                f"{repeated} episodes with a seed that was used before: the same noise again, no "
                "fresh draws",
            )
        if expect is not None:
            same = expect == self.previous
            yield Check("digest", same, "as expected" if same else f"expected {plain(expect)}")
