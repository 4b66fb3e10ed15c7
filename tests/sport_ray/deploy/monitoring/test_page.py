"""docs/deployment.md's monitor runs as it stands: episodes, then an update of the score."""

from __future__ import annotations

import gymnasium

from sport_ray.deploy import Monitor
from sport_ray.deploy.export import write_bundle
from sport_ray.deploy.monitoring import read_log, report
from sport_ray.policies import load_policy
from sport_ray.selection.scores import TaskDensity
from tests.pages import blocks
from tests.sport_ray.deploy.conftest import CANDIDATES, HORIZON, nudged


def test_the_page_monitors_and_updates(export_of, tmp_path, monkeypatch, capsys):
    write_bundle(tmp_path / "bundle", export_of("ratio", "selector"))
    monkeypatch.chdir(tmp_path)
    first, second = (text for language, text in blocks("deployment.md")
                     if language == "python" and "onitor" in text)  # fmt: skip
    env = gymnasium.make("sport_ray/PointReachAvoid-v0", layout="fixed", horizon=HORIZON)
    assert "range(100)" in first
    exec(first.replace("range(100)", "range(4)"), {"env": env})
    history = read_log("monitor.jsonl")
    assert history.num_episodes == 4
    assert "average risk so far" in capsys.readouterr().out
    better = TaskDensity(nudged(load_policy("bundle/base").network, 5))
    with Monitor("monitor.jsonl") as monitor:
        exec(second, {"monitor": monitor, "candidates": CANDIDATES, "better_score": better})
    assert report(read_log("monitor.jsonl", history.digest)).num_updates == 1
