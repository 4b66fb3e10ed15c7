"""An S3 server on loopback (moto's), a bucket of each test's own, and a proxy with faults."""

from __future__ import annotations

import logging
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sport_ray.experiments.storage.place import Place
from tests.experiments.storage.faulty_proxy import Proxy, proxy_before

SECRET = "kept-to-itself-7351"
KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    """Its address; it minds If-None-Match and If-Match."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


def make_bucket(address: tuple[str, int], name: str) -> None:
    url = f"http://{address[0]}:{address[1]}/{name}"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT")).read()


@pytest.fixture
def proxy(s3_server: tuple[str, int]) -> Iterator[Proxy]:
    """In front of the server; lets everything pass until a test gives it a rule."""
    with proxy_before(*s3_server) as found:
        yield found


@pytest.fixture
def place(
    s3_server: tuple[str, int],
    proxy: Proxy,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A place in a bucket of this test's own, reached through the proxy; copies in tmp_path.

    Whoever drives has stopped when the test ends, else it would push on beside the next one.
    """
    bucket = f"test-{abs(hash(request.node.nodeid)) % 10**12}"
    make_bucket(s3_server, bucket)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("SPORT_RAY_CACHE", str(tmp_path / "cache"))
    yield Place("s3", bucket, "group/study")
    for thread in threading.enumerate():
        if thread.name == "push":
            thread.join(30.0)
            assert not thread.is_alive()
