"""`sport-ray watch` as a process, and beside a run."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest
from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.experiments.cli.watch import watched, watched_folder
from tests.tracking.conftest import write_study


def state_at(url: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}state", timeout=60) as answer:
        found = json.load(answer)
        assert isinstance(found, dict)
        return found


def test_a_study_s_folder_need_not_be_there_yet(tmp_path: Path) -> None:
    study = tmp_path / "mine.yaml"
    study.write_text("name: mine\n")
    assert watched_folder(study, None) == Path("results/mine")
    assert watched_folder(study, tmp_path / "other") == tmp_path / "other"
    with pytest.raises(UserError, match="give a study file or a result folder"):
        watched_folder(tmp_path / "none.yaml", None)


@pytest.mark.slow
def test_watch_prints_its_address_and_plain_lines_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    folder = write_study(tmp_path)
    command = [sys.executable, "-m", "sport_ray.experiments.cli.main", "watch", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert state_at(url)["phase"] == "ended"
        assert re.match(r".+: ended: \d+ of \d+ cells, 1 failed", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 0
        assert process.stdout.read() == ""


@pytest.mark.slow
def test_beside_a_run_it_lives_as_long_as_the_run(tmp_path: Path) -> None:
    told = io.StringIO()
    with watched(Console(file=told), tmp_path / "new", wanted=True):
        while "watch it at" not in told.getvalue():
            time.sleep(0.05)
        url = told.getvalue().split()[-1]
        assert state_at(url)["phase"] == "waiting"
    with pytest.raises(URLError):
        state_at(url)
