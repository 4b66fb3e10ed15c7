"""What happened, in order: promises and verdicts, and the chain of digests over them.

The chain is over events, not over lines of a file: h_i = sha256(h_{i−1} and event i). So a file
that lists only the episodes that went wrong has the digest of one that lists all.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sport_ray.bounds.arguments import LARGEST_INTEGER
from sport_ray.canonical import canonical_json
from sport_ray.deploy.monitoring.promise import Probability, Promise

SCHEMA = "sport-ray/monitor/1"
Verdict = Literal["safe", "violated", "unknown"]
Number = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]


class Event(BaseModel):
    """Something that the chain holds."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def json_object(self) -> dict[str, Any]:
        """As a line of a log has it."""
        return self.model_dump(mode="json")


class Opened(Event):
    """A monitor begins: β of its any-time bound, γ of its alarm; of which world and property.

    name: drawn at random, so that no two logs are alike.
    """

    kind: Literal["open"] = "open"
    name: str
    beta: Probability
    false_alarm: Probability
    env_id: str
    property: str
    time: str

    def require_about(self, promise: Promise) -> None:
        """Refuse a promise about another world or property, with a ValueError."""
        for name in ("env_id", "property"):
            if getattr(promise, name) != getattr(self, name):
                raise ValueError(f"a promise is about another {name}")


class Promised(Event):
    """From this episode on a bundle acts of which this is promised."""

    kind: Literal["promise"] = "promise"
    episode: Number
    promise: Promise
    time: str


class Judged(Event):
    """The verdict of an episode."""

    kind: Literal["verdict"] = "verdict"
    episode: Number
    verdict: Verdict


def linked(previous: str, event: Event) -> str:
    """The digest after an event."""
    return hashlib.sha256(previous.encode() + canonical_json(event.json_object())).hexdigest()


@dataclass(frozen=True)
class History:
    """All that a monitor knows.

    promises: in order, each from an episode on. num_episodes: n with a verdict. violated, unknown:
    their numbers, ascending from 1; the others were safe. running: whether episode n + 1 began.
    digest: of the chain.
    """

    opened: Opened
    promises: tuple[Promised, ...] = ()
    num_episodes: int = 0
    violated: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    running: bool = False
    digest: str = ""

    @classmethod
    def begin(cls, opened: Opened, promised: Promised) -> History:
        """Before the first episode."""
        return cls(opened, digest=linked("", opened)).with_promise(promised)

    def with_promise(self, event: Promised) -> History:
        """From the next episode on, something else is promised.

        Raises:
            ValueError: an episode is running, or it is not from the next one on.
        """
        if self.running or event.episode != self.num_episodes + 1:
            raise ValueError(f"a promise from episode {event.episode} on comes out of turn")
        self.opened.require_about(event.promise)
        return replace(self, promises=(*self.promises, event), digest=linked(self.digest, event))

    def with_begin(self) -> History:
        """The next episode begins; this is not in the chain before it has a verdict.

        Raises:
            ValueError: one is running.
        """
        if self.running:
            raise ValueError(f"episode {self.num_episodes + 1} has begun and has no verdict")
        return replace(self, running=True)

    def with_verdict(self, event: Judged) -> History:
        """The running episode's verdict.

        Raises:
            ValueError: it is not running.
        """
        if not self.running or event.episode != self.num_episodes + 1:
            raise ValueError(f"a verdict of episode {event.episode} comes out of turn")
        violated, unknown = self.violated, self.unknown
        if event.verdict == "violated":
            violated = (*violated, event.episode)
        elif event.verdict == "unknown":
            unknown = (*unknown, event.episode)
        return replace(
            self,
            num_episodes=event.episode,
            violated=violated,
            unknown=unknown,
            running=False,
            digest=linked(self.digest, event),
        )

    @property
    def promise(self) -> Promise:
        """What is promised of the next episode."""
        return self.promises[-1].promise

    def verdict(self, episode: int) -> Verdict:
        """Of an episode that has one."""
        for name in ("violated", "unknown"):
            numbers = getattr(self, name)
            place = bisect_right(numbers, episode)
            if place and numbers[place - 1] == episode:
                return name
        return "safe"

    def promised(self) -> NDArray[np.float64]:
        """What was promised of each episode, (n,)."""
        firsts = [*(one.episode for one in self.promises), self.num_episodes + 1]
        return np.repeat([one.promise.bound for one in self.promises], np.diff(firsts))

    def indicator(self, numbers: tuple[int, ...]) -> NDArray[np.bool_]:
        """(n,), true at these episodes."""
        found = np.zeros(self.num_episodes, dtype=bool)
        found[np.asarray(numbers, dtype=np.int64) - 1] = True
        return found

    def chain(self) -> Iterator[tuple[int, str]]:
        """(number of verdicts, digest) after each event."""
        found = linked("", self.opened)
        yield 0, found
        others = iter([*self.promises, None])
        after = next(others)
        wrong = {**dict.fromkeys(self.violated, "violated"),
                 **dict.fromkeys(self.unknown, "unknown")}  # fmt: skip
        for number in range(1, self.num_episodes + 2):
            while after is not None and after.episode == number:
                found = linked(found, after)
                yield number - 1, found
                after = next(others)
            if number <= self.num_episodes:
                verdict: Any = wrong.get(number, "safe")
                # By hand what `linked` does: a log may hold millions.
                event = f'{{"episode":{number},"kind":"verdict","verdict":"{verdict}"}}'
                found = hashlib.sha256((found + event).encode()).hexdigest()
                yield number, found
