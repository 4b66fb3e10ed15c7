"""How to look at it: the printed command serves the folder, and the address opens the study."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from sport_ray.tracking import log_sweep
from sport_ray.tracking.mlflow.client import default_uri
from sport_ray.tracking.mlflow.ui import LOCAL, opening_lines, page_url, start_command

SMALL: dict[str, Any] = {"alphas": (1.0, 1.25), "horizons": (21,), "seeds": (0, 1, 2)}


def test_a_servers_page_needs_no_command_and_tells_no_secret(tmp_path: Path) -> None:
    uri = "http://me:secret@host:5000/m"
    assert start_command(tmp_path, uri) is None
    expected = "http://host:5000/m/#/experiments/7/runs?workflowType=machine_learning"
    assert page_url(uri, "7") == expected


def test_of_a_database_of_many_studies_its_own_uri(tmp_path: Path) -> None:
    command = start_command(tmp_path, "postgresql://me:secret@host/db")
    assert command is not None
    assert command.endswith(" --backend-store-uri postgresql://host/db")


def test_nothing_is_promised_of_what_was_never_logged(make_results: Any, tmp_path: Path) -> None:
    never = f"sqlite:///{tmp_path / 'never.db'}"
    assert opening_lines(make_results(**SMALL), never, "quickstart") == []


@contextmanager
def serving(command: str, cwd: Path) -> Iterator[str]:
    """What the command serves, at a port that is free; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", f"{command} --port {port}"],
        cwd=cwd,
        env=os.environ | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_the_printed_lines_open_a_moved_folder_in_a_browser(
    make_results: Any, tmp_path: Path
) -> None:
    """A copy under another name, the original gone: runs, params and the report are all there."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium (Debian: apt-get install chromium)")
    folder = make_results(**SMALL)
    (folder / "report.html").write_text("<p>what it found</p>")
    log_sweep(folder)
    moved = tmp_path / "else where"
    shutil.copytree(folder, moved)
    shutil.rmtree(folder)
    log_sweep(moved)  # takes it as its own
    start, address = opening_lines(moved, default_uri(moved), "quickstart")
    assert shlex.quote(str(moved)) in start
    with (
        serving(start.removeprefix("MLflow: "), tmp_path) as url,
        sync_playwright() as driver,
    ):
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(address.removeprefix("  then open ").replace(LOCAL, url))
        parent = page.get_by_role("link", name="quickstart", exact=True).last
        parent.wait_for()
        page.get_by_text("matching runs").wait_for()
        page.screenshot(path=str(tmp_path / "runs.png"))
        parent.click()
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("report.html", exact=True).last.click()
        page.frame_locator("iframe").get_by_text("what it found").wait_for()
        browser.close()
