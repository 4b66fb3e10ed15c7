"""An HTTP proxy before a server, which delays, refuses, or cuts connections as it is told."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["pass", "503", "cut before", "cut after", "half"] | float
"""A number is a delay in seconds. cut after: the server has done it, and the answer is lost."""
Rule = Callable[[str, str], Fault]


class Proxy(ThreadingHTTPServer):
    """rule: what happens to a request, by its method and path; told: what has happened."""

    daemon_threads = True

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.upstream = upstream
        self.rule: Rule = lambda method, path: "pass"
        self.told: list[tuple[str, str, Fault]] = []
        self.without: tuple[str, ...] = ()  # headers that the server does not get to see
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def times(self, *faults: Fault) -> int:
        """How often such faults were injected."""
        return sum(fault in faults for _, _, fault in self.told)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Cut connections are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.rule(self.command, self.path)
        self.server.told.append((self.command, self.path, fault))
        if isinstance(fault, float):
            time.sleep(fault)
        if fault == "503":
            self._answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        if fault == "cut before":
            self._cut()
            return
        upstream = http.client.HTTPConnection(*self.server.upstream, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.title() not in self.server.without}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if fault == "cut after":
            self._cut()
            return
        self._answer(answer.status, answer.getheaders(), data, half=fault == "half")

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _do  # noqa: N815 - the handler's names

    def _answer(
        self, status: int, headers: list[tuple[str, str]], data: bytes, half: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = len(data)
        if self.command == "HEAD":
            length = int(dict(headers).get("Content-Length", 0))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if half else data)
        if half:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def proxy_before(host: str, port: int) -> Iterator[Proxy]:
    """A proxy in a thread of this process."""
    proxy = Proxy((host, port))
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
