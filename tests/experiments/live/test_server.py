"""Served to browsers on this machine alone, to read alone, and made anew for a reason alone."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.live.pages import Pages
from sport_ray.experiments.live.server import LOOPBACK, WatchServer, own_port
from sport_ray.experiments.live.site import Site
from tests.tracking.conftest import write_study


@contextmanager
def served(site: Site, port: int | None = None) -> Iterator[WatchServer]:
    server = WatchServer(site, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(
    server: WatchServer, path: str = "/", method: str = "GET", host: str | None = None
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(LOOPBACK, server.server_address[1], timeout=30)
    headers = {} if host is None else {"Host": host}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: ((found := path.stat()).st_mtime_ns, found.st_size) for path in folder.rglob("*")}


def test_only_browsers_of_this_machine_may_read_and_nobody_may_write(tmp_path: Path) -> None:
    site = Site(tmp_path / "none")
    with served(site) as server:
        assert server.server_address[0] == LOOPBACK
        port = server.server_address[1]
        for host in ("localhost", f"localhost:{port}", "127.0.0.1:1234", f"127.0.0.1:{port}"):
            assert asked(server, host=host)[0].status == 200, host
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "",
        ):
            assert asked(server, host=host)[0].status == 403, host
            assert asked(server, "/state", host=host)[0].status == 403, host
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            assert asked(server, method=method)[0].status == 501
        for path in ("/../etc/passwd", "/report.html", "/state/", "/%2e%2e/"):
            assert asked(server, path)[0].status == 404
        answer, body = asked(server, method="HEAD")
        assert (answer.status, body) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 1000
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
    site.close()


def test_a_folder_has_a_port_of_its_own_where_it_is_free(tmp_path: Path) -> None:
    assert own_port(tmp_path / "a") == own_port(tmp_path / "a")
    site = Site(tmp_path / "a")
    with served(site) as first, served(site) as second:
        assert first.url != second.url
        with pytest.raises(UserError, match=r"port \d+ cannot be listened on"):
            WatchServer(site, first.server_address[1])
    site.close()


def test_before_a_cell_has_finished_there_is_a_page_that_waits(tmp_path: Path) -> None:
    site = Site(tmp_path / "later")
    assert not site.render()
    with served(site) as server:
        _, body = asked(server)
        assert b"Nothing to show yet" in body
        _, body = asked(server, "/state")
        state = json.loads(body)
        assert (state["page"], state["phase"]) == ("", "waiting")
    site.close()


def test_until_the_report_of_records_is_made_the_page_says_that_it_is_being_made(
    tmp_path: Path,
) -> None:
    folder = write_study(tmp_path, alphas=(1.0,), horizons=(21,))
    pages = Pages(folder)
    try:
        assert b"The report of 6 cells is being made" in pages.page[1]
        assert b"Nothing to show yet" not in pages.page[1].split(b"<script", 1)[0]
        (folder / "certificate.json").write_text("{}")
        assert pages.render()
        assert "the report cannot be made" in (pages.look().problem or "")
        assert b"Nothing to show yet" in pages.page[1].split(b"<script", 1)[0]
    finally:
        pages.close()


def test_the_page_is_the_report_made_when_records_change_and_only_then(tmp_path: Path) -> None:
    whole = write_study(tmp_path)
    folder = tmp_path / "sweep"
    shutil.copytree(whole, folder)
    late = sorted((folder / "cells").iterdir())[0]
    shutil.rmtree(late)
    before = files(folder)
    told: list[str] = []
    pages = Pages(folder, lambda state: told.append(state.sentence))
    try:
        assert pages.render()
        first = pages.page
        assert b"connect-src 'self'" in first[1]
        assert b"makes no network requests" not in first[1]
        assert files(folder) == before  # nothing is written where somebody else may be at work
        assert not pages.render()  # nothing has changed
        shutil.copytree(whole / "cells" / late.name, late)
        assert not pages.render()  # too soon
        pages._next = 0.0
        assert pages.render()
        assert pages.page[0] != first[0]
        os.utime(late / "record.json", (1, 1))  # the same numbers: the same page
        pages._next = 0.0
        again = pages.page
        assert pages.render()
        assert pages.page == again
        assert pages.renders == 3
        (folder / "certificate.json").write_text("{}")
        os.utime(late / "record.json", (2, 2))
        pages._next = 0.0
        assert pages.render()
        assert pages.page == again  # what there was is still shown
        assert "the report cannot be made" in (pages.look().problem or "")
    finally:
        pages.close()
