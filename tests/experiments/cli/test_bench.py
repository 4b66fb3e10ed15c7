"""The command bench, as far as it does not run studies."""

from __future__ import annotations

import pytest

from sport_ray.experiments.benchmark.run import Benchmark
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
