"""The description that MLflow's own page shows of a sweep: its answer, and where its files are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sport_ray.tracking.mlflow.artefacts import short_hash, sweep_files
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import headline

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE_TAG = "mlflow.note.content"  # what MLflow's own UI shows as the description
OURS_TAG = "sport_ray.note_digest"
_LINKED = ("report.html", "cells.csv", "certificate.json", "figures")
_MAX_CHARACTERS = 8000


def answer_text(folder: Results) -> str:
    """The study's question answered, in Markdown; what is not there is said first of all."""
    # Not at the top: whoever only runs a sweep's cells needs no pandas for that.
    from sport_ray.tracking.results.completeness import completeness_of

    state = completeness_of(folder)
    if not state.planned:
        return "No cell has finished yet."
    if not state.finished:
        return f"**{_markdown(state.sentence)}**"
    from sport_ray.tracking.analysis.answer import answer_study
    from sport_ray.tracking.results.statistics import aggregate
    from sport_ray.tracking.results.table import table_of

    refuted = headline(folder.refutations)
    if refuted:
        return f"**{_markdown(refuted)}**"
    answer = answer_study(aggregate(table_of(folder)), folder.certificate, folder.base_at)
    first = [f"**{_markdown(state.sentence)}**"] if state.sentence else []
    parts = [*first, f"**{answer.sentence}**", answer.detail, *answer.notes]
    return "\n\n".join(part for part in parts if part)


def _markdown(text: str) -> str:
    """Foreign text in Markdown: nothing in it is a link, an image or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def write_note(client: MlflowClient, run: Any, folder: Results, answer: str) -> None:
    """Describe the parent run, unless somebody else has written a description of their own."""
    current = run.data.tags.get(NOTE_TAG)
    if current is not None and run.data.tags.get(OURS_TAG) != short_hash(current.encode()):
        return
    files = sweep_files(folder.path)
    base = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
    links = [f"[{name}]({base}/{name})" for name in _LINKED if name in files]
    note = "\n\n".join([answer, *([" · ".join(links)] if links else [])])[:_MAX_CHARACTERS]
    if note != current:
        from mlflow.entities import RunTag

        # Together: a note without its digest would be taken for somebody else's.
        tags = [RunTag(NOTE_TAG, note), RunTag(OURS_TAG, short_hash(note.encode()))]
        client.log_batch(run.info.run_id, tags=tags)
