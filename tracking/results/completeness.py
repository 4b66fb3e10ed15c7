"""How much of a study is there: said first of all, wherever results are shown.

What is not there was not found wanting. A study of which nothing has finished has no answer, and
an answer from a part of it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sport_ray.tracking.results.kinds import is_unconstrained
from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.records import Results

NO_FINISHED = "no cell has finished"
_REASONS, _LONGEST = 2, 160
"""How many reasons are told in the sentence, and how much of each: all are in the table below."""


@dataclass(frozen=True)
class Completeness:
    """The planned cells of a study by their state.

    reasons: why cells failed, the most frequent first, with how often. unreadable: records that
    are left out, each with what is wrong with it. missing: cells without a record.
    """

    finished: int
    reasons: tuple[tuple[str, int], ...]
    missing: int
    unreadable: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Cells that failed."""
        return sum(count for _, count in self.reasons)

    @property
    def planned(self) -> int:
        """All cells that the study asks for."""
        return self.finished + self.failed + self.missing + len(self.unreadable)

    @property
    def sentence(self) -> str:
        """What is not there, why, and what that means; '' where everything is."""
        if self.finished == self.planned:
            return ""
        parts = []
        if self.failed:
            more = len(self.reasons) - _REASONS
            others = [_count(more, "other reason")] if more > 0 else []
            told = _first([reason for reason, _ in self.reasons], others)
            parts.append(f"{self.failed} failed ({told})")
        if self.missing:
            parts.append(f"{self.missing} {'have' if self.missing > 1 else 'has'} not been run")
        if self.unreadable:
            count = len(self.unreadable)
            others = [f"and {count - _REASONS} more"] if count > _REASONS else []
            have = "have records that" if count > 1 else "has a record that"
            told = _first(self.unreadable, others)
            parts.append(f"{count} {have} cannot be read ({told})")
        why = ", ".join(parts)
        if not self.finished:
            return (
                f"0 of {self.planned} planned cells are finished: {why}. Nothing here "
                "says that any setting is good, or that it is not."
            )
        are = "is" if self.finished == 1 else "are"
        return (
            f"Only {self.finished} of {self.planned} planned cells {are} finished: {why}. "
            "What follows is about the finished ones alone; what is missing was not found wanting."
        )


def completeness_of(folder: Results) -> Completeness:
    """The state of a result folder's cells."""
    failed = [record for record in folder.records if record["status"] != "finished"]
    reasons = Counter(str(record.get("reason") or "no reason was recorded") for record in failed)
    return Completeness(
        finished=len(folder.records) - len(failed),
        reasons=tuple(reasons.most_common()),
        missing=len(folder.missing),
        unreadable=tuple(one.text for one in folder.unreadable),
    )


def fewer_seeds(settings: pd.DataFrame) -> str:
    """Which settings rest on fewer seeds than others of their method; '' if none does.

    settings: `sport_ray.tracking.results.statistics.aggregate`.
    """
    tried = settings[settings["seeds"] > 0]
    alike = tried.groupby(["source", "projected"], dropna=False)
    tried = tried.assign(most=alike["seeds"].transform("max"))
    short = tried[tried["seeds"] < tried["most"]]
    if short.empty:
        return ""
    named = [
        f"{setting_text(row)}, T = {row['horizon']} ({row['seeds']} of {row['most']})"
        for _, row in short.iterrows()
    ]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return f"Fewer seeds than others of their method have: {'; '.join(named[:3])}{more}."


def why_none(settings: pd.DataFrame, risk: str) -> str:
    """Why no setting is shown at a risk below 1: that none is there is never told as 'none good'.

    settings: `aggregate`; risk: one of `sport_ray.tracking.analysis.pareto.RISK_KINDS`.
    """
    done = settings[settings["seeds"] > 0]
    if done.empty:
        return NO_FINISHED
    among = f"among the {_count(len(done), 'one')} that finished"
    if risk != "prior_bound":
        what = "violation rate" if risk == "empirical_violation_rate" else "bound"
        return f"no setting has a {what} below 1 {among}"
    bound = done[~is_unconstrained(done)]
    if bound.empty:
        asked = bool((~is_unconstrained(settings)).any())
        return (
            "of the settings under a constraint none has finished"
            if asked
            else "no setting here is under a constraint, and others are promised nothing"
        )
    below = bound[bound["prior_bound"] < 1]
    if len(below):
        return (
            f"{_count(len(below), 'setting')} with a bound below 1 finished, but did not keep to "
            "the constraint in evaluation"
        )
    if bound["prior_bound"].isna().all():
        return "no record of a finished cell states a bound"
    return f"no setting has a bound below 1 among the {len(bound)} under a constraint that finished"


def nothing_certified(settings: pd.DataFrame) -> str:
    """The lead sentence of a study in which nothing is certified: why, and what to do."""
    why = why_none(settings, "prior_bound")
    if why == NO_FINISHED:
        return "No cell has finished, so there is no answer yet."
    if why.startswith("no setting has a bound"):
        why = why.replace("a bound", "a prior bound", 1)
        remedy = "choose α closer to 1 or a T with a smaller base risk."
        return f"{capital(why)}, so nothing is certified before it is run: {remedy}"
    return f"{capital(why)}, so nothing is certified before it is run."


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def _first(texts: Sequence[str], others: list[str]) -> str:
    shown = (one if len(one) <= _LONGEST else one[: _LONGEST - 1] + "…" for one in texts[:_REASONS])
    return "; ".join([*shown, *others])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
