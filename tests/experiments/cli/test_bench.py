"""The command bench, as far as it does not run studies."""

from __future__ import annotations

import io
import os
import sys

import pytest

from sport_ray.experiments.benchmark.run import Benchmark
from sport_ray.experiments.cli.main import main
from tests.experiments.calling import called


@pytest.mark.parametrize("stage", ["compose", "_summary"])
def test_ctrl_c_outside_a_sweep_tells_what_resumes(tmp_path, monkeypatch, stage):
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Benchmark, stage, pressed)
    arguments = "bench", "--tiny", "--tasks", "point_fixed", "--results", "here"
    ended = called(*arguments, cwd=tmp_path)
    assert ended.returncode == 130
    assert "Aborted" not in ended.stderr
    told = " ".join(ended.stderr.split())
    assert told.startswith("sport-ray: interrupted; what has ended is kept. Resume with: ")
    assert told.endswith(" ".join(["sport-ray", *arguments]))


@pytest.mark.parametrize("show", [["--list"], []])
def test_a_reader_that_has_gone_ends_it_without_a_word(tmp_path, monkeypatch, show):
    reader, writer = os.pipe()
    os.close(reader)
    told = io.StringIO()
    arguments = "bench", "--tiny", "--tasks", "point_fixed", "--methods", "fixed_alpha", *show
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        monkeypatch.setattr(sys, "stderr", told)
        monkeypatch.setattr(sys, "argv", ["sport-ray", *arguments])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as end:
            main()
    assert (end.value.code, told.getvalue()) == (1, "")


@pytest.mark.parametrize("place", ["taken", "taken/below"])
def test_a_file_in_the_way_of_the_results_is_one_line(tmp_path, place):
    (tmp_path / "taken").write_text("")
    arguments = "bench", "--tiny", "--tasks", "point_fixed", "--methods", "fixed_alpha"
    refused = called(*arguments, "--results", place, cwd=tmp_path)
    assert refused.returncode == 2
    told = " ".join(refused.stderr.split())
    assert told.startswith(f"sport-ray: {place} cannot be written (")
    assert told.endswith("): give another folder with --results")


@pytest.mark.parametrize(
    ("task", "seeds", "said"), [("frozen_lake", 1, 1), ("frozen_lake", 2, 0), ("point_fixed", 1, 0)]
)
def test_one_seed_for_mixtures_that_others_pick_is_told_before_it_runs(
    tmp_path, monkeypatch, task, seeds, said
):
    """The robot's are run on fresh scenarios, whatever the number of seeds."""

    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Benchmark, "_summary", pressed)
    arguments = "bench", "--tiny", "--tasks", task, "--methods", "random_budgets", "--seeds", seeds
    told = " ".join(called(*arguments, cwd=tmp_path).stdout.split())
    assert told.count(f"mixtures of methods (random_budgets) need two seeds on {task}, ") == said
