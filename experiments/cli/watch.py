"""`sport-ray watch`: the report of a study as it goes on, in a browser on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseServer
from typing import Annotated

import typer
from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.experiments.cli.options import Results, StudyOrResults
from sport_ray.tracking.console import say

NICE = 5
"""A page may wait for the cells that it shows."""
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65_535, help="Default: one of the folder's own, if free."),
]


def watch_command(
    study_path: StudyOrResults,
    results: Results = None,
    port: Port = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve the report of a study that runs, or will, to a browser on this machine.

    Prints the address; the page there is the report, and becomes current by itself as cells
    finish. Of several bases it leads to a page of each. Reads the result folder, starts nothing and
    writes nothing there, so it may be begun and ended at any time. Ctrl-C ends it; `sport-ray
    report` writes the page as a file.
    """
    from sport_ray.experiments.live.server import WatchServer
    from sport_ray.experiments.live.site import Site
    from sport_ray.experiments.live.state import State
    from sport_ray.experiments.storage.refresh import refreshed

    folder = watched_folder(study_path, results)
    said: list[str] = []

    def listen(state: State) -> None:
        line, what = state.problem or state.sentence, state.problem or state.news
        if not with_parent and (not said or said[-1] != what):
            said.append(what)
            print(f"{state.study}: {line}", file=sys.stderr, flush=True)

    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)
    site = Site(folder, listen)
    try:
        server = WatchServer(site, port)
    except UserError:
        site.close()
        raise
    print(server.url, flush=True)
    listen(site.state)
    site.start()
    if with_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    try:
        with refreshed(folder):
            server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        site.close()


def watched_folder(path: Path, results: Path | None) -> Path:
    """The result folder of a study file or folder, whether or not it is there yet.

    Raises:
        UserError: no such study.
    """
    from sport_ray.experiments.results.status import folder_of

    return folder_of(path, results)[0]


def _end_with_parent(server: BaseServer) -> None:
    """Wait until whoever started this process is gone, however it went."""
    sys.stdin.buffer.read()
    server.shutdown()


@contextlib.contextmanager
def watched(console: Console, folder: Path, wanted: bool) -> Iterator[None]:
    """The page of a folder for the length of a run, by a process of its own; says where it is."""
    if not wanted:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sport_ray.experiments.cli.main", "watch", str(folder)]
    child = subprocess.Popen(
        [*command, "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the run
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines = child.stdout

    def tell() -> None:
        url = lines.readline().strip()
        say(console, f"watch it at {url}" if url else "the live page could not be started")

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        child.stdin.close()
        try:
            child.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            child.kill()
