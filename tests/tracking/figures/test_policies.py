"""The figure of policies: of Gaussians where there are some, else of choices."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.figures import draw_figures
from sport_ray.tracking.figures.policies import draw_policies
from sport_ray.tracking.figures.style import look
from sport_ray.tracking.results.records import CHOICE_ARRAYS, POLICY_ARRAYS, read_results
from tests.tracking.conftest import make_samples


def with_samples(folder, sources):
    """Samples for the cells of some sources; selection's as probabilities of 8 candidates."""
    task = np.random.default_rng(0).dirichlet(np.ones(8), size=12)
    for file in folder.glob("cells/*/record.json"):
        record = json.loads(file.read_text())
        if record["source"] not in sources or record["alpha"] is None:
            continue
        arrays = make_samples(record["alpha"], 21, 0)
        if record["source"] == "critic":
            held = np.minimum(task, record["alpha"] / 8)
            arrays = {name: value for name, value in arrays.items() if name not in POLICY_ARRAYS}
            laws = (held / held.sum(axis=1, keepdims=True), np.full((12, 8), 1 / 8), task)
            arrays |= dict(zip(CHOICE_ARRAYS, laws, strict=True))
        np.savez_compressed(file.parent / "samples.npz", **arrays)
    return read_results(folder), load_results(folder)


def test_choices_are_skipped_where_gaussians_are(make_sources, tmp_path):
    folder, frame = with_samples(
        make_sources(sources=("critic", "scpo"), seeds=(0,)), ("critic", "scpo")
    )
    with look():
        drawn = draw_policies(folder, frame, tmp_path)
    assert "SCPO, projected" in drawn.caption
    figures, skipped = draw_figures(folder, tables_of(folder))
    assert {"policies", "trajectories", "risk"} <= set(figures)
    assert "trajectories" not in skipped
    assert "Selection, critic" in figures["trajectories"].svg


def test_of_choices_alone_their_probabilities_are_shown(make_sources, tmp_path):
    folder, frame = with_samples(make_sources(sources=("critic",), seeds=(0,)), ("critic",))
    with look():
        drawn = draw_policies(folder, frame, tmp_path)
    assert "M · probability" in drawn.svg
    assert "Selection, critic" in drawn.caption
    assert drawn.title == "The choice under the scaled base probability"


def test_half_of_a_choice_is_damage(make_sources):
    folder, frame = with_samples(make_sources(sources=("critic",), seeds=(0,)), ("critic",))
    cell_id = frame.loc[frame["alpha"] == 1.1, "cell_id"].iloc[0]
    file = folder.files.samples(cell_id)
    np.savez(file, probabilities=np.ones((2, 4)))
    with pytest.raises(UserError, match="has no array 'base_probabilities'"):
        folder.samples(cell_id)
