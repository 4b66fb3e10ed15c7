"""A constraint that this project does not know, from a study to a deployed step, on real runs."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sport_ray.deploy import load
from sport_ray.errors import UserError
from sport_ray.experiments.stages.base import BUNDLED

MODULE = '''
"""Each step shifts the mean by at most r of the base's standard deviations."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from sport_ray.bounds.tradeoff import gaussian_tradeoff_bound, max_mu
from sport_ray.constraints import Constraint


@dataclass(frozen=True)
class StepShift(Constraint):
    """At most T shifts of at most r add up to μ = r·√T of the Gaussian trade-off."""

    radius: float
    name: ClassVar[str] = "step_shift"
    title: ClassVar[str] = "shift of each step"
    formula: ClassVar[str] = "Φ(Φ⁻¹(ε_base) + r √T)"
    simultaneous: ClassVar[bool] = True

    @property
    def log_ratio_limit(self):
        return math.inf

    def limits(self, state):
        return np.full(len(state), self.radius)

    def project(self, base, task, limits=None):
        return task.projected_shift(base, self.radius * (1 - 1e-6))

    def within(self, step, base, limits):
        square = torch.from_numpy(np.atleast_1d(step.squared_shift(base)))
        return step.is_shift_of(base) & (square <= self.radius**2)

    def prior_bound(self, evidence):
        return gaussian_tradeoff_bound(evidence.eps_base, self.radius * evidence.horizon**0.5)

    @classmethod
    def for_target(cls, evidence, eps_max, *, trained=False):
        return cls(radius=max_mu(evidence.eps_base, eps_max) / evidence.horizon**0.5 * (1 - 1e-12))
'''
NAME = "my_shifts:step_shift"
STUDY = {
    "name": "own",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 25},
    "task_policies": {"imported": {"path": str(BUNDLED / "paper_bang_bang")}},
    "sweep": {"eps_max": [0.5], "constraints": [NAME], "horizons": [25], "seeds": [0]},
    "evaluation": {"num_scenarios": 60, "beta": 1e-3},
}


def sport_ray(*arguments: object, cwd: Path) -> str:
    path = os.pathsep.join([str(cwd), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "sport_ray.experiments.cli.main", *map(str, arguments)],
        check=False, cwd=cwd, capture_output=True, text=True, timeout=550,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that was run by its command; its results lie in ``results/own``."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_shifts.py").write_text(MODULE)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    sport_ray("run", "study.yaml", cwd=folder)
    return folder


@pytest.fixture
def cell(swept: Path) -> pd.Series:
    """The one cell under the constraint."""
    cells = pd.read_csv(swept / "results" / "own" / "cells.csv")
    assert set(cells["status"]) == {"finished"}
    return cells[cells["constraint"] == NAME].iloc[0]


@pytest.mark.slow
def test_it_has_a_row_a_line_and_a_checked_promise(swept: Path, cell: pd.Series) -> None:
    assert cell["prior_bound"] == pytest.approx(0.5)
    assert 0.0 < cell["radius"] < 1.0  # its parameter is in the table
    assert cell["constraint_held"]
    assert cell["certified"]
    assert cell["projected_share"] > 0.5
    results = swept / "results" / "own"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "shift of each step, ε_max = 0.5" in page
    assert "Φ(Φ⁻¹(ε_base) + r √T)" in page
    assert "The prior bound is what shift of each step promises" in page
    assert '<span class="badge bad">' not in page
    assert "shift of each step" in (results / "figures" / "pareto.svg").read_text(encoding="utf-8")
    ladder = pd.read_csv(results / "conservativeness.csv")
    assert list(ladder["constraint"]) == [NAME]
    assert "holds" in sport_ray("verify", results, cwd=swept)
    again = ["report", "results/own", "--out", "again", "--trust-module", "my_shifts"]
    sport_ray(*again, cwd=swept)  # a folder alone runs no module: the table is the same with it
    assert (swept / "again" / "cells.csv").read_text() == (results / "cells.csv").read_text()


@pytest.mark.slow
def test_it_is_deployed(swept: Path, cell: pd.Series, monkeypatch: pytest.MonkeyPatch) -> None:
    sport_ray("export", cell["cell_id"], "--results", "results/own", "--out", "out", cwd=swept)
    monkeypatch.syspath_prepend(str(swept))
    with pytest.raises(UserError, match="not imported because a file names it"):
        load(swept / "out")
    importlib.import_module("my_shifts")
    policy = load(swept / "out", log=swept / "audit.jsonl")
    assert policy.promise["theorem"] == "shift of each step: Φ(Φ⁻¹(ε_base) + r √T)"
    policy.reset(0)
    action = policy.act(np.zeros(44, dtype=np.float32))
    assert np.isfinite(action).all()
    shift = policy.last.chosen.squared_shift(policy.last.base)
    assert 0.0 < shift <= cell["radius"] ** 2
    policy.close()
    for command in (["audit", "audit.jsonl", "--bundle", "out"], ["verify", "out"]):
        assert "holds" in sport_ray(*command, "--trust-module", "my_shifts", cwd=swept)
