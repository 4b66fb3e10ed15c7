"""Reading an audit log: whether it is whole, and whether every action in it was within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.deploy.audit_fields import Wrong, numbers, require_fields
from sport_ray.deploy.audit_log import LARGEST_LINE, read_line
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.replay import Replay
from sport_ray.deploy.rules import Gaussians, Rule, realised_log_ratio, rule_from_json
from sport_ray.deploy.seeds import are_words
from sport_ray.errors import UserError
from sport_ray.text import plain

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

    Without a bundle the base policy's Gaussians are taken from the log; with it they, the task
    policy's projection and every draw are computed again from observations and seeds.

    Args:
        path: the log.
        bundle: what the policy was loaded from.
        expect: the log's digest, as ``close`` returned it.

    Raises:
        UserError: no such file.
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


class _Reader:
    """Goes through the lines of a log once, with what the log itself must have at each."""

    def __init__(self, bundle: Bundle | None) -> None:
        self.bundle = bundle
        self.failed: str | None = None
        self.stage = "chain"
        self.previous = ""
        self.lines = self.steps = self.breaches = self.episodes = 0
        self.base_steps = 0
        self.running = self.closed = self.broken = False
        self.step = 0
        self.furthest = -math.inf  # realised log ratio of an episode so far, its largest
        self.sum = 0.0
        self.seeds: dict[tuple[int, ...], int] = {}
        self.stream = 0

    def takes(self, number: int, line: bytes) -> bool:
        """Whether nothing is wrong up to this line."""
        try:
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
        require_fields(kind, record)
        self.stage = "order"
        getattr(self, f"_take_{kind}")(record)

    def _take_open(self, record: dict[str, Any]) -> None:
        self.head = record
        self.rule: Rule = rule_from_json(record["constraint"])
        self.horizon = record["horizon"]
        self.replay = None
        if self.bundle is not None:
            self.stage = "bundle"
            same = (
                record["bundle"] == self.bundle.digest
                and record["horizon"] == self.bundle.horizon
                and record["constraint"] == self.bundle.manifest["constraint"]
                and record["promise"] == self.bundle.manifest["promise"]
            )
            if not same:
                raise Wrong("the log is of another bundle")
            self.replay = Replay(self.bundle)

    def _take_reset(self, record: dict[str, Any]) -> None:
        self.episodes += 1
        if self.running or record["episode"] != self.episodes:
            raise Wrong(f"episode {record['episode']} begins where {self.episodes} should")
        self.running, self.step, self.left, self.sum = True, 0, self.rule.total, 0.0
        self.broken, self.stream = False, 0
        if not are_words(record["seed"]):
            raise Wrong("its seed is not spelled as words")
        seed = tuple(record["seed"])
        self.seeds[seed] = self.seeds.get(seed, 0) + 1
        if self.replay is not None:
            self.replay.reset(record["seed"])

    def _take_end(self, record: dict[str, Any]) -> None:
        if not self.running or record["step"] != self.step or record["episode"] != self.episodes:
            raise Wrong(f"episode {record['episode']} ends where it does not")
        self.running = False

    def _take_breach(self, record: dict[str, Any]) -> None:
        if record["episode"] != self.episodes or record["step"] != self.step:
            raise Wrong(f"step {record['step']} of episode {record['episode']} is not the next")
        self.broken = True
        self.breaches += 1
        if record["stream"] < self.stream:
            raise Wrong(f"it goes back to stream {record['stream']}")
        if self.replay is not None and record["stream"] > self.stream:
            self.replay.go_on(record["stream"])
        self.stream = record["stream"]

    def _take_close(self, record: dict[str, Any]) -> None:
        if self.running or record["lines"] != self.lines:
            raise Wrong("the log has another number of lines than it says")
        self.closed = True

    def _take_step(self, record: dict[str, Any]) -> None:
        if record["episode"] != self.episodes or record["step"] != self.step:
            raise Wrong(
                f"step {record['step']} of episode {record['episode']} where step {self.step} of "
                f"episode {self.episodes} should be"
            )
        self.stage = "bounds"
        for name in ("limit", "reached", "log_ratio", "cost", "left"):
            numbers([0.0 if name == "left" and record[name] is None else record[name]])
        drawn, base = numbers(record["drawn"]), numbers(record["base_mean"])
        given = base, numbers(record["base_std"])
        own = given
        if record["played"] == "task":
            own = numbers(record["mean"]), numbers(record["std"])
        step = Gaussians(*own, *given)
        if not all(x.shape == base.shape for x in (*step, drawn)):
            raise Wrong("a number is missing")
        if not ((step.std > 0.0).all() and (step.base_std > 0.0).all()):
            raise Wrong("a std is not positive")
        if "breach" in record:
            if "base" not in (self.head["on_breach"], self.head["outside"]):
                raise Wrong("a policy that raises on a breach acted in one")
            self.broken = True
            self.breaches += 1
            if record["played"] != "base":
                raise Wrong("the task policy acted outside of the promise")
        else:
            if not self.running or self.broken or self.step >= self.horizon:
                raise Wrong("it is outside of the promise and does not say so")
            self._check_bounds(record, step, drawn)
        self.sum += realised_log_ratio(step, drawn)
        self.furthest = max(self.furthest, self.sum)
        if self.replay is not None:
            self.stage = "replay"
            limit = record["limit"]
            damaged = self.head["damage"] is not None
            problem = self.replay.check(record, step, drawn, self.before, limit, damaged)
            if problem is not None:
                raise Wrong(problem)
        self.step += 1
        self.steps += 1
        self.base_steps += record["played"] == "base"

    def _check_bounds(self, record: dict[str, Any], step: Gaussians, drawn: Any) -> None:
        """Limit, distance, cost and what is left, each computed again from the Gaussians."""
        self.before = self.left
        limit = self.rule.limit(self.left, self.step)
        if record["limit"] != limit:
            raise Wrong(f"its limit is {record['limit']}, what was left permits {limit}")
        reached = self.rule.reached(step)
        if not reached <= limit:
            raise Wrong(f"its distance from the base policy is {reached}, the limit {limit}")
        cost = self.rule.cost(step, drawn)
        left = self.rule.spend(self.left, cost)
        stated = math.inf if record["left"] is None else float(record["left"])
        for name, mine, its in (
            ("distance", reached, record["reached"]),
            ("cost", cost, record["cost"]),
            ("log ratio", realised_log_ratio(step, drawn), record["log_ratio"]),
            ("budget", left, stated),
        ):
            if mine != its and not abs(mine - its) <= ROUNDING * (1.0 + abs(mine)):
                raise Wrong(f"its {name} is {its}, from its own numbers {mine}")
        self.left = stated  # what the next limit was computed from

    before = math.inf

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
            "bundle": f"digest {plain(self.head['bundle'])[:16]}…",
            "bounds": f"every step within its limit; largest log ratio of a path: "
            f"{max(self.furthest, 0.0):.6g} nats",
            "replay": "Gaussians and draws computed again from observations and seeds",
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
