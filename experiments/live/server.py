"""A folder's page over HTTP, for browsers on this machine: GET and HEAD of a page and its state.

It listens on the loopback address alone. A page of another site that has its name resolved to this
machine (DNS rebinding) says that name in ``Host`` and is refused. No path leads to a file.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.live.site import Site

LOOPBACK = "127.0.0.1"
NAMES = (LOOPBACK, "localhost")
"""Hosts that a browser may have asked for; any port, as through an ssh tunnel."""
FIRST_PORT, PORTS = 20_000, 10_000
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class WatchServer(ThreadingHTTPServer):
    """Serves a site at ``url``. port: None: the folder's own, or another that is free.

    Raises:
        UserError: a port that was asked for and is taken.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, site: Site, port: int | None = None) -> None:
        self.site = site
        try:
            super().__init__((LOOPBACK, own_port(site.root) if port is None else port), _Handler)
        except OSError as error:
            if port is not None:
                raise UserError(
                    f"port {port} cannot be listened on ({error.strerror}): give another --port, "
                    "or none"
                ) from None
            super().__init__((LOOPBACK, 0), _Handler)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"


def own_port(root: Path) -> int:
    """A folder's port: the same whenever it is watched, so that an open page finds it again."""
    name = hashlib.sha256(str(root.resolve()).encode()).digest()
    return FIRST_PORT + int.from_bytes(name[:4], "big") % PORTS


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer
    protocol_version = "HTTP/1.0"  # a connection kept open would outlive the server's end
    timeout = 30
    server_version = "sport-ray"
    sys_version = ""

    def do_GET(self) -> None:
        """A page at ``/``, its state as JSON at ``/state``; of a base below ``/BASE``."""
        host = (self.headers.get("Host") or "").rpartition(":")
        name = host[0] or host[2]
        if name not in NAMES:
            self._answer(HTTPStatus.FORBIDDEN, b"this page is for browsers on this machine\n")
            return
        found = self.server.site.at(self.path.partition("?")[0])
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, b"there is / and /state\n")
            return
        shown, state_alone = found
        called, page = shown.page
        if state_alone:
            state = {**shown.state.to_json(), "page": called}
            self._answer(HTTPStatus.OK, json.dumps(state).encode(), "application/json")
        else:
            self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8")

    def do_HEAD(self) -> None:
        """The same without a body; http.server itself refuses every other method (501)."""
        self.do_GET()

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests come every two seconds."""
