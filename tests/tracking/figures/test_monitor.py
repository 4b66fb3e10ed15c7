"""The picture of a monitor's log: what it shows, and that equal data give equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sport_ray.deploy.monitoring import Course, History, Promise, course
from sport_ray.deploy.monitoring.history import Judged, Opened, Promised
from sport_ray.errors import UserError
from sport_ray.tracking.figures.monitor import draw_monitor


def course_of(calm: int, wild: int) -> Course:
    """Episodes of risk 0.02, an update, and as many of risk 0.5 as wanted."""
    promise = Promise(
        bound=0.1, beta=1e-7, rests_on="c", bundle="b", env_id="e", property="p", statement="s"
    )
    opened = Opened(name="x", beta=1e-3, false_alarm=1e-6, env_id="e", property="p", time="t")
    history = History.begin(opened, Promised(episode=1, promise=promise, time="t"))
    rng = np.random.default_rng(0)
    risks = np.repeat([0.02, 0.5], [calm, wild])
    for number, violated in enumerate(rng.random(calm + wild) < risks, 1):
        if number == calm:
            other = promise.model_copy(update={"bound": 0.05})
            history = history.with_promise(Promised(episode=number, promise=other, time="t"))
        verdict = "violated" if violated else "safe"
        history = history.with_begin().with_verdict(Judged(episode=number, verdict=verdict))
    return course(history)


def test_what_is_shown(tmp_path: Path):
    found = course_of(300, 60)
    draw_monitor(found, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    for said in (
        "Average risk of the episodes so far",
        "promised, average so far",
        "bound from verdicts, 1 − 0.001",
        "observed rate",
        "another bundle",
        f"promise refuted after episode {found.alarm}",
        "alarm; false with probability ≤ 1e-06, ever",
    ):
        assert said in text
    draw_monitor(course_of(300, 0), tmp_path / "b.svg")
    assert "refuted" not in (tmp_path / "b.svg").read_text()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_equal_data_give_equal_bytes(tmp_path: Path, suffix: str):
    for name in ("a", "b"):
        draw_monitor(course_of(50, 20), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(("calm", "wild"), [(1, 0), (2, 0), (1, 1), (0, 40)])
def test_short_logs(tmp_path: Path, calm: int, wild: int):
    draw_monitor(course_of(calm, wild), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn(tmp_path: Path):
    with pytest.raises(UserError, match=r"must end in \.png or \.svg"):
        draw_monitor(course_of(5, 0), tmp_path / "a.pdf")
    with pytest.raises(UserError, match="no verdict yet"):
        draw_monitor(course_of(0, 0), tmp_path / "a.png")
