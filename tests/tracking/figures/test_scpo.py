"""The figure of SCPO: the same bytes from the same rows, and a line at 0."""

from __future__ import annotations

import pandas as pd
import pytest

from tracking.figures.scpo import draw_scpo


def rows(top: float) -> pd.DataFrame:
    made = []
    for run, scale in (("scpo", -0.1), ("unconstrained", top)):
        for i in range(4):
            made.append(
                {"run": run, "iteration": i, "objective": 1.0 - 0.1 * i,
                 "max_constraint": -0.3 + (i / 3) * (scale + 0.3),
                 "outcome": "stood still" if run == "scpo" and i == 2 else "projected"}
            )  # fmt: skip
    return pd.DataFrame(made)


@pytest.mark.parametrize("top", [0.5, 5000.0])
def test_both_runs_are_drawn_and_the_bytes_repeat(tmp_path, top):
    drawn = [draw_scpo(rows(top), "A title", "some loss", tmp_path / name, "scpo") for name in "ab"]
    assert drawn[0] == drawn[1]
    files = [(tmp_path / name / "scpo.png").read_bytes() for name in "ab"]
    assert files[0] == files[1]
    for text in ("SCPO", "unconstrained", "SCPO stood still", "above 0 is unsafe", "A title"):
        assert text in drawn[0].svg
