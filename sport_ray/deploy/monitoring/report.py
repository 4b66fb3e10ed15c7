"""What a monitor's verdicts say: a bound on the average risk so far, and whether the promise held.

The risk of an episode is the probability, given all that went before it, that it violates. Its
average over the episodes so far is what is bounded, at all numbers of episodes at once: policies
and promises may change on the way. Proofs: docs/bounds.md, section 14.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sport_ray.bounds import anytime_bound
from sport_ray.bounds.refutation import Wealth, first_alarm
from sport_ray.deploy.monitoring.history import History
from sport_ray.digits import rounded_up
from sport_ray.errors import UserError


@dataclass(frozen=True)
class MonitorReport:
    """The state of one log.

    num_unknown: episodes that began and have no verdict that anybody knows: violations in the
        bound, none in the alarm; one that is running is not among them.
    promised: average of what was promised of these episodes (of the next one, before the first).
    anytime: bound on the average risk so far from the verdicts alone, with confidence 1 − β.
    bound: the smaller of the two, or ``anytime`` after an alarm; fails with probability at most
        ``bound_beta``.
    prior_beta: probability that a promise is untrue, each certificate counted once.
    false_alarm: γ; with true promises there is ever an alarm with at most this probability.
    alarm: the episode after which the verdicts refuted what was promised; None if none did.
    evidence: log of what bets against the promise made of 1, nats; the alarm is at log(1/γ).
    digest: of the chain, to be noted elsewhere.
    """

    num_episodes: int
    num_violations: int
    num_unknown: int
    running: bool
    promised: float
    anytime: float
    bound: float
    beta: float
    prior_beta: float
    bound_beta: float
    false_alarm: float
    alarm: int | None
    evidence: float
    num_updates: int
    env_id: str
    property: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, in words."""
        found = [("episodes", f"{self.num_episodes:,}")]
        wrong = f"{self.num_violations:,} violated"
        if self.num_unknown:
            wrong += f", {self.num_unknown:,} unknown (in the bound they violated)"
        found.append(("verdicts", wrong))
        if self.running:
            found.append(("running", f"episode {self.num_episodes + 1:,} has no verdict yet"))
        if self.num_updates:
            found.append(("updates", f"{self.num_updates} since the first bundle"))
        found += [
            ("promised", f"average risk ≤ {rounded_up(self.promised, 4)}, confidence 1 − "
                         f"{self.prior_beta:g}"),
            ("from verdicts", f"average risk so far ≤ {rounded_up(self.anytime, 4)}, "
                              f"confidence 1 − {self.beta:g}, at all times together"),
            ("together", f"average risk so far ≤ {rounded_up(self.bound, 4)}, confidence 1 − "
                         f"{self.bound_beta:g}"),
            ("alarm", self._alarm()),
        ]  # fmt: skip
        return found

    def _alarm(self) -> str:
        level = f"false alarm ever: ≤ {self.false_alarm:g}, and the promise's {self.prior_beta:g}"
        if self.alarm is None:
            return f"none; evidence {self.evidence:.1f} of {-math.log(self.false_alarm):.1f} nats"
        return f"REFUTED after episode {self.alarm:,}: the promise is not true here ({level})"


def wealths(history: History) -> tuple[Wealth, Any]:
    """The bets against the promises, and their log wealth after each episode, (n,).

    Unknown verdicts count as safe: an alarm rests on what was seen.
    """
    return Wealth.start().after(history.indicator(history.violated), history.promised())


def average_promise(history: History) -> float:
    """Average of what was promised of the episodes so far, rounded up."""
    if not history.num_episodes:
        return history.promise.bound
    promised = history.promised().tolist()
    mean = math.nextafter(math.fsum(promised) / history.num_episodes, math.inf)
    return float(min(mean, max(promised)))


def prior_beta(histories: Sequence[History]) -> float:
    """Probability that a promise in these logs is untrue: each event that one rests on, once."""
    found: dict[str, float] = {}
    for history in histories:
        for one in history.promises:
            name, beta = one.promise.rests_on, one.promise.beta
            found[name] = max(found.get(name, 0.0), beta)
    return min(math.fsum(found.values()), 1.0)


def report(history: History) -> MonitorReport:
    """Bounds and alarm of one log."""
    state, course = wealths(history)
    return report_of(history, state, first_alarm(course, history.opened.false_alarm))


def report_of(history: History, wealth: Wealth, alarm: int | None) -> MonitorReport:
    """The same, where the bets have been followed."""
    opened, count = history.opened, history.num_episodes
    failed = len(history.violated) + len(history.unknown)
    anytime = anytime_bound(count, failed, opened.beta) if count else 1.0
    promised, prior = average_promise(history), prior_beta([history])
    both = min(math.fsum([opened.beta, prior]), 1.0)
    return MonitorReport(
        num_episodes=count, num_violations=len(history.violated), num_unknown=len(history.unknown),
        running=history.running, promised=promised, anytime=anytime,
        bound=anytime if alarm is not None else min(anytime, promised),
        beta=opened.beta, prior_beta=prior,
        bound_beta=opened.beta if alarm is not None else both,
        false_alarm=opened.false_alarm, alarm=alarm, evidence=float(wealth.log_total),
        num_updates=len(history.promises) - 1, env_id=opened.env_id, property=opened.property,
        digest=history.digest,
    )  # fmt: skip


@dataclass(frozen=True)
class FleetReport:
    """Several robots, each with a log of its own.

    bound: on the average risk over all their episodes so far, Σ n_r b_r / N; fails with
        probability at most ``bound_beta``, whatever one robot's luck has to do with another's.
    alarms: numbers of the logs (from 0) that raised one. false_alarm: sum of the logs' γ.
    """

    num_logs: int
    num_episodes: int
    num_violations: int
    num_unknown: int
    bound: float
    bound_beta: float
    false_alarm: float
    alarms: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, in words."""
        unknown = f", {self.num_unknown:,} unknown" if self.num_unknown else ""
        alarm = f"{len(self.alarms)} of {self.num_logs} logs REFUTE what was promised"
        return [
            ("robots", f"{self.num_logs}"),
            ("episodes", f"{self.num_episodes:,}"),
            ("verdicts", f"{self.num_violations:,} violated{unknown}"),
            ("together", f"average risk so far ≤ {rounded_up(self.bound, 4)}, confidence 1 − "
                         f"{self.bound_beta:g}"),
            ("alarm", alarm if self.alarms else "none"),
        ]  # fmt: skip


def fleet(histories: Sequence[History]) -> FleetReport:
    """One statement about several robots.

    Each log's bound at its own β, weighted by its episodes; the failures add up (union bound), so
    nothing is assumed of how robots that run at once depend on each other.

    Raises:
        UserError: no log, the same one twice, or logs of several environments or properties.
    """
    if not histories:
        raise UserError("no monitor's log was given: name at least one")
    if len({one.digest for one in histories}) < len(histories):
        raise UserError("the same monitor's log was given twice: its episodes would count twice")
    for name in ("env_id", "property"):
        found = sorted({str(getattr(one.opened, name)) for one in histories})
        if len(found) > 1:
            raise UserError(f"logs of several {name}s have no common risk: {', '.join(found)}")
    reports = [report(one) for one in histories]
    count = sum(one.num_episodes for one in reports)
    weights = [one.num_episodes for one in reports] if count else [1] * len(reports)
    mean = math.fsum(w * one.bound for w, one in zip(weights, reports, strict=True)) / sum(weights)
    prior = [one for one, told in zip(histories, reports, strict=True) if told.alarm is None]
    beta = math.fsum([prior_beta(prior), *(one.beta for one in reports)])
    return FleetReport(
        num_logs=len(reports), num_episodes=count,
        num_violations=sum(one.num_violations for one in reports),
        num_unknown=sum(one.num_unknown for one in reports),
        bound=min(math.nextafter(mean, math.inf), 1.0), bound_beta=min(beta, 1.0),
        false_alarm=min(math.fsum(one.false_alarm for one in reports), 1.0),
        alarms=tuple(i for i, one in enumerate(reports) if one.alarm is not None),
    )  # fmt: skip
