"""What a study found, for the run of its sweep: the report's answer in words and in numbers."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from sport_ray.tracking.mlflow.metrics import Metric
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import headline

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from sport_ray.tracking.analysis.speakers import Best

ANSWER_TAG = "sport_ray.answer"
FINDINGS: dict[str, Metric] = {
    "cells_finished": Metric("cells", "cells with a finished record"),
    "cells_failed": Metric("cells", "cells that failed"),
    "headline_risk": Metric("probability", "certified risk of the setting that the answer names"),
    "headline_value": Metric("steps, or return", "its mean over seeds"),
    "headline_base_value": Metric("steps, or return", "the base policy's at the same T"),
    "headline_gain": Metric("steps, or return", "how much better it is than the base"),
    "headline_gain_low": Metric("steps, or return", "lower end of the gain's 95% interval"),
    "headline_gain_high": Metric("steps, or return", "upper end of it"),
    "hypervolume_certified": Metric(
        "steps, or return", "gain over the base, on average over allowed certified risks, 0 to 1"
    ),
    "hypervolume_posterior": Metric("steps, or return", "the same over posterior bounds"),
    "hypervolume_observed": Metric("steps, or return", "the same over observed violation rates"),
}
"""Metrics of the run of a sweep; those of an answer are there where it has one (NaN: no more)."""
_RISKS = {
    "prior_bound": "hypervolume_certified",
    "posterior_bound": "hypervolume_posterior",
    "empirical_violation_rate": "hypervolume_observed",
}


class Finding(NamedTuple):
    """A study's question answered.

    text: Markdown, what is not there first. sentence: the report's headline, "" where there is no
    answer. metrics: those of `FINDINGS` that are known.
    """

    text: str
    sentence: str
    metrics: dict[str, float]


def finding_of(folder: Results) -> Finding:
    """What the records of a folder answer."""
    # Not at the top: whoever only runs a sweep's cells needs no pandas for that.
    from sport_ray.tracking.results.completeness import completeness_of

    statuses = [record["status"] for record in folder.records]
    counts = {f"cells_{name}": float(statuses.count(name)) for name in ("finished", "failed")}
    state = completeness_of(folder)
    if not state.planned:
        return Finding("No cell has finished yet.", "", counts)
    if not state.finished:
        return Finding(f"**{_markdown(state.sentence)}**", "", counts)
    from sport_ray.tracking.analysis.answer import answer_study, headline_of
    from sport_ray.tracking.results.statistics import aggregate
    from sport_ray.tracking.results.table import table_of

    refuted = headline(folder.refutations)
    if refuted:
        return Finding(f"**{_markdown(refuted)}**", "", counts)
    settings = aggregate(table_of(folder))
    answer = answer_study(settings, folder.certificate, folder.base_at)
    first = [f"**{_markdown(state.sentence)}**"] if state.sentence else []
    parts = [*first, f"**{answer.sentence}**", answer.detail, *answer.notes]
    numbers = counts | _headline(headline_of(answer.best)) | _hypervolumes(folder, settings)
    return Finding("\n\n".join(part for part in parts if part), answer.sentence, numbers)


def _markdown(text: str) -> str:
    """Foreign text in Markdown: nothing in it is a link, an image or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def _headline(one: Best | None) -> dict[str, float]:
    if one is None:
        return {}
    found = one.interval
    return {
        "headline_risk": one.prior_bound,
        "headline_value": one.value,
        "headline_base_value": one.base_value,
        "headline_gain": found.value,
        "headline_gain_low": found.low,
        "headline_gain_high": found.high,
    }


def _hypervolumes(folder: Results, settings: pd.DataFrame) -> dict[str, float]:
    """Of all settings together; none where only those at one T can be compared, and T differ."""
    from sport_ray.tracking.analysis.hypervolume import ALL, hypervolume_table

    table = hypervolume_table(settings, folder.base_at)
    whole = table[table["constraint"] == ALL]
    if whole["risk_kind"].duplicated().any():
        return {}
    pairs = zip(whole["risk_kind"], whole["hypervolume"], strict=True)
    return {_RISKS[kind]: float(value) for kind, value in pairs}


def tell(client: MlflowClient, run: Run, found: Finding) -> None:
    """Put the answer to the sweep's run as far as it is new; a number that is no more is NaN."""
    from mlflow.entities import Metric as Logged
    from mlflow.entities import RunTag

    known = run.data.metrics
    wanted = dict.fromkeys(known.keys() & FINDINGS.keys(), math.nan) | found.metrics
    news = {name: value for name, value in wanted.items() if not _same(known.get(name), value)}
    told = run.data.tags.get(ANSWER_TAG, "")
    tags = [RunTag(ANSWER_TAG, found.sentence)] if told != found.sentence else []
    if news or tags:
        now = int(time.time() * 1000)  # of two values of a step MLflow shows the later
        metrics = [Logged(name, value, now, 0) for name, value in sorted(news.items())]
        client.log_batch(run.info.run_id, metrics=metrics, tags=tags)


def _same(known: float | None, value: float) -> bool:
    """Whether a metric needs no telling: it has the value, or is unknown and was never there."""
    if math.isnan(value):
        return known is None or math.isnan(known)
    return known == value
