"""Several bases: the study of each, what is refused, and the whole chain."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, parse_study
from sport_ray.experiments.config.study_file import study_values
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.results.status import status_of_bases
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.bases import contexts_of, text_of_base, together
from sport_ray.experiments.stages.context import Context
from sport_ray.experiments.sweep.driver import SweepSummary
from sport_ray.tracking.console import PlainConsole
from tests.experiments.calling import called

BASES = ["paper_bang_bang", "point_reach_avoid"]


@pytest.fixture
def several(small_study):
    """The small study over two bases."""
    return {**small_study, "name": "several", "bases": BASES}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": BASES[0]}, "base and bases are given: remove one"),
        ({"bases": [BASES[0], BASES[0]]}, "bases names a policy twice"),
        ({"bases": []}, "bases"),
        (
            {"certificate": {"choose": {"eps_max": 0.1}}, "sweep": {"alphas": [1.0]}},
            "bases is given, and certificate.choose asks to choose one base",
        ),
        ({"base_arguments": {"x": 1}}, f"base = {BASES[0]!r} takes none"),
    ],
)
def test_what_cannot_be_is_one_line(several, change, said):
    with pytest.raises(UserError) as caught:
        parse_study({**several, **change}, "study")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_study_of_a_base_is_one_with_that_base(several, small_study):
    whole = parse_study(several, "study")
    alone = parse_study({**small_study, "name": "several", "base": BASES[1]}, "study")
    one = whole.of_base(BASES[1])
    assert one == alone
    assert one.model_dump(mode="json") == alone.model_dump(mode="json")
    assert Study.model_validate(json.loads(json.dumps(whole.model_dump(mode="json")))) == whole
    assert "base" not in whole.model_dump()
    assert whole.all_bases == BASES
    assert one.all_bases == [BASES[1]]


def test_the_text_of_a_base_reads_back_as_its_study(several, write_study):
    text = write_study(several).read_bytes()
    values = study_values(text_of_base(text, BASES[0]), "study")
    assert parse_study(values, "study") == parse_study(several, "study").of_base(BASES[0])


def test_each_base_has_a_folder_of_its_own(several, write_study, tmp_path):
    shutil.copytree(BUNDLED / BASES[0], tmp_path / "mine")
    several["bases"] = [BASES[0], "./mine"]
    path = write_study(several)
    study = parse_study(several, "study")
    folder = StudyFolder(tmp_path / "out", study)
    found = contexts_of(Context(study, path, folder, PlainConsole()))
    assert [one.folder.root.name for one in found.values()] == [BASES[0], "mine-892261"]
    assert found["./mine"].study.base == "./mine"


def test_a_base_that_is_not_there_is_told_before_anything_runs(several, write_study, tmp_path):
    several["bases"] = [BASES[0], "missing"]
    several["base_training"] = {"env_steps": 512}  # for one base, which several would share
    done = called("certify", write_study(several), cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert "bases: base policy 'missing' does not exist" in line
    assert not (tmp_path / "results").exists()


def test_training_one_base_needs_a_place(several, write_study, tmp_path):
    done = called("train-base", write_study(several), cwd=tmp_path)
    assert "say with --out" in done.stderr
    assert not (tmp_path / "results").exists()


def test_cells_of_all_bases_and_which_is_refuted():
    found = together({"a": SweepSummary(4, 3, 1), "b": SweepSummary(4, 4, 0, "REFUTED: x")})
    assert found == SweepSummary(8, 7, 1, "base b: REFUTED: x")
    assert together({"a": SweepSummary(4, 4, 0)}).refuted is None


def test_commands_about_one_base_name_the_folders(several, write_study, tmp_path):
    root = tmp_path / "several"
    StudyFolder(root, parse_study(several, "study")).write_study(write_study(several))
    for words in (
        ("plan", root),
        ("verify", root),
        ("compare", root, root),
        ("export", "0" * 16, "--results", root, "--out", tmp_path / "x"),
    ):
        done = called(*words, cwd=tmp_path)
        assert done.returncode == 2, words
        assert f"name the folder of one ({root / BASES[0]}, {root / BASES[1]})" in done.stderr
    assert status_of_bases(root) == dict.fromkeys(BASES)
    done = called("status", root, cwd=tmp_path)
    assert done.stdout.splitlines() == [f"base {one}: not begun" for one in BASES]
    told = json.loads(called("status", root, "--json", cwd=tmp_path).stdout)
    assert told["bases"] == dict.fromkeys(BASES)


@pytest.mark.slow
@pytest.mark.long
def test_the_whole_chain_then_each_part(several, write_study, tmp_path):
    from tests.experiments.cli.test_main import sport_ray

    several["tracking"] = {"published": "arxiv_2504_06386"}
    several["sweep"]["horizons"] = [22]
    study = write_study(several)
    done = sport_ray("run", study, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    root = tmp_path / "results" / "several"
    assert f"base {BASES[1]} (2 of 2): results/several/{BASES[1]}" in done.stdout
    assert "Steps saved over 2 bases: Projected PPO, T = 22" in done.stdout
    for base in BASES:
        assert f"MLflow: cd {root / base} && " in done.stdout
    assert len(pd.read_csv(root / "steps_saved.csv")) == 2 * 2 * 3
    certificates = [json.loads((root / one / "certificate.json").read_text()) for one in BASES]
    assert certificates[0]["base_digest"] != certificates[1]["base_digest"]
    stamps = {path: path.stat().st_mtime_ns for path in root.glob("*/cells/*/record.json")}
    assert len(stamps) == 2 * 5

    again = called("run", study, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("all cells are finished already") == 2
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}

    # Each is an ordinary result folder, of the study that lies in it.
    one = root / BASES[0]
    for words in (
        ("sweep", one / "study.yaml", "--results", one),
        ("report", one),
        ("status", one),
        ("verify", one),
    ):
        assert called(*words, cwd=tmp_path).returncode == 0, words
    line = next(path for path in stamps if path.is_relative_to(one))
    line.unlink()
    told = called("status", study, cwd=tmp_path).stdout
    assert "5 planned: 4 done, 0 running, 0 failed, 1 not started" in told
    assert sport_ray("sweep", study, cwd=tmp_path).returncode == 0
    assert line.exists()
    out = tmp_path / "published"
    assert called("report", study, cwd=tmp_path).returncode == 0
    assert called("publish", study, "--out", out, cwd=tmp_path).returncode == 0
    assert (out / BASES[0] / "cells.csv").is_file()

    from sport_ray import Study as InPython

    loaded = InPython.load(root)
    with pytest.raises(UserError, match=r"take one of study\.each\(\)"):
        loaded.results()
    assert [len(part.results()) for part in loaded.each().values()] == [5, 5]
    assert loaded.report() == root / "report.html"
