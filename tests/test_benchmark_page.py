"""docs/benchmark.md and what is committed: made of the committed records, nothing typed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sport_ray.tracking.benchmark import write_leaderboard
from sport_ray.tracking.benchmark.quoting import COMMAND, PAGE, PUBLISHED, renewed

ROOT = Path(__file__).parents[1]


def test_the_page_says_what_is_published():
    leaderboard = (ROOT / PUBLISHED / "leaderboard.md").read_text()
    text = (ROOT / PAGE).read_text()
    assert renewed(text, leaderboard) == text, f"run: {COMMAND}"


@pytest.mark.slow
def test_the_leaderboard_follows_from_the_committed_records(tmp_path):
    again = tmp_path / "again"
    shutil.copytree(ROOT / PUBLISHED, again)
    write_leaderboard(again)
    for file in (ROOT / PUBLISHED).glob("leaderboard*"):
        if file.suffix in (".csv", ".md"):
            assert (again / file.name).read_text() == file.read_text(), file.name
