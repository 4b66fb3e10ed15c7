"""Betting against a promise: evidence that risks lie above it, at any time, after any change."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.bounds.arguments import require_beta

Array = NDArray[np.float64]

# The odds ratios u of the bets, each for a risk whose odds are u times those promised. Between
# neighbours a bet loses little; the mixture of J of them costs at most log J = 2.6 nats.
_LOG_ODDS: Array = np.geomspace(0.2, 7.0, 13)
_GAINS: Array = np.expm1(_LOG_ODDS)
_CHUNK = 4096
"""Episodes whose logarithms are summed at once: longer sums would lose digits."""


class Wealth(NamedTuple):
    """What the bets on one sequence of episodes have become; a frozen state.

    num_episodes: n. log_started: (..., J) log of what each bet's started shares are worth, nats.
    """

    num_episodes: int
    log_started: Array

    @classmethod
    def start(cls, shape: tuple[int, ...] = ()) -> Wealth:
        """Before the first episode, of as many sequences as the shape has."""
        return cls(0, np.full((*shape, _LOG_ODDS.size), -math.inf))

    @property
    def log_total(self) -> Array:
        """Log of the whole wealth, (...), nats: 0 at the start."""
        return _log_total(self.log_started, np.array(self.num_episodes))

    def after(self, violated: ArrayLike, promised: ArrayLike) -> tuple[Wealth, Array]:
        """The state m episodes later, and the log wealth after each of them, (..., m), nats.

        At every episode s the share w_s of the starting capital begins to bet that from now on
        risks are above what is promised. A bet of odds ratio u multiplies by

            u^x / (1 − b + b u),   x = 1 at a violation, else 0,

        whose mean is at most 1 while the risk is at most b. So the wealth, with the shares that
        wait, is a nonnegative supermartingale from 1: it ever reaches 1/γ with probability at most
        γ (Ville). w_s = 1/log2(s + 1) − 1/log2(s + 2), which sums to 1.

        Args:
            violated: (..., m) verdicts. promised: (m,) or (..., m), b of each episode, in (0, 1),
                known before the episode.

        Raises:
            ValueError: a b out of range.

        Source: Ville (1939); Robbins (1970); docs/bounds.md, section 14.
        """
        x = np.asarray(violated, dtype=bool)
        b = np.broadcast_to(np.asarray(promised, dtype=np.float64), x.shape)
        if not bool(np.all((b > 0.0) & (b < 1.0))):
            raise ValueError("promised must lie strictly between 0 and 1")
        state, found = self, [np.empty((*x.shape[:-1], 0))]
        for first in range(0, x.shape[-1], _CHUNK):
            part = slice(first, first + _CHUNK)
            state, values = state._after_few(x[..., part], b[..., part])
            found.append(values)
        return state, np.concatenate(found, axis=-1)

    def _after_few(self, x: NDArray[np.bool_], b: Array) -> tuple[Wealth, Array]:
        count = x.shape[-1]
        numbers = self.num_episodes + np.arange(1, count + 1)
        factors = x[..., None] * _LOG_ODDS - np.log1p(b[..., None] * _GAINS)
        sums = np.cumsum(factors, axis=-2)
        before = np.concatenate([np.zeros_like(sums[..., :1, :]), sums[..., :-1, :]], axis=-2)
        entering = np.concatenate(
            [self.log_started[..., None, :], _log_shares(numbers)[:, None] - before], axis=-2
        )
        started = sums + np.logaddexp.accumulate(entering, axis=-2)[..., 1:, :]
        after = Wealth(self.num_episodes + count, started[..., -1, :])
        return after, _log_total(started, numbers)


def log_alarm_level(num_episodes: int, false_alarm: float) -> float:
    """Log wealth from which on a promise is refuted: log(1/γ) and the error of computing it.

    Args:
        num_episodes: n. false_alarm: γ in (0, 1), probability that a promise that is true is ever
            called refuted.

    Raises:
        ValueError: γ out of range.
    """
    # A step errs by a few units in the last place of sums below 3e4 nats: less than 2^-36.
    return 1e-9 + 2.0**-36 * num_episodes - math.log(require_beta("false_alarm", false_alarm))


def alarm_at(violated: ArrayLike, promised: ArrayLike, false_alarm: float) -> int | None:
    """The first episode (from 1) after which the verdicts refute the promise; None if none does.

    With probability at least 1 − γ there is none, however long one looks, if every episode's risk
    given the past is at most what was promised of it. Rounded: a margin is added to log(1/γ).

    Args:
        violated: (n,) verdicts. promised: b, or (n,) of each episode. false_alarm: γ in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    >>> alarm_at([False] * 100 + [True] * 20, 0.01, 1e-6)
    106
    """
    _, values = Wealth.start().after(violated, promised)
    return first_alarm(values, false_alarm)


def first_alarm(log_wealths: Array, false_alarm: float, num_before: int = 0) -> int | None:
    """The first episode at which a course of log wealths (m,) reaches the alarm; None if never.

    num_before: episodes before the first of them.
    """
    numbers = np.arange(num_before + 1, num_before + len(log_wealths) + 1)
    least = log_alarm_level(0, false_alarm) + 2.0**-36 * numbers
    reached = np.flatnonzero(~(log_wealths < least))  # what is no number is an alarm
    return int(numbers[reached[0]]) if reached.size else None


def _log_shares(numbers: NDArray[np.int64]) -> Array:
    """Log w_s, without the cancellation of its two terms."""
    s = numbers.astype(np.float64)
    found: Array = (
        np.log(np.log1p(1.0 / (s + 1.0)) * math.log(2.0))
        - np.log(np.log(s + 1.0))
        - np.log(np.log(s + 2.0))
    )
    return found


def _log_total(log_started: Array, numbers: NDArray[np.int64]) -> Array:
    """The mean over bets of what started, and the share 1/log2(n + 2) that waits."""
    mean = np.logaddexp.reduce(log_started, axis=-1) - math.log(_LOG_ODDS.size)
    waiting = math.log(math.log(2.0)) - np.log(np.log(numbers + 2.0))
    found: Array = np.logaddexp(mean, waiting)
    return found
