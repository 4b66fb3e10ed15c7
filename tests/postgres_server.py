"""A real PostgreSQL on loopback, in a folder of its own, that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2

USER = "mlflow"


def find_programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``: Debian keeps them out of PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "postgres").exists()), None)


class PostgresServer:
    """Made new, with a password, and gone with `remove`; the port stays the same.

    PostgreSQL refuses to run as root: there it runs as `postgres` or `nobody`, in a folder that
    belongs to them.
    """

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path has 107 bytes at most
        self._as: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            account = _account()
            self._as |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        password = secrets.token_hex(16)
        place = f"{USER}:{password}@127.0.0.1:{self.port}/postgres"
        self.uri = f"postgresql://{place}"
        # SQLAlchemy 2.1 takes the bare scheme for psycopg 3, 2.0 for psycopg2.
        self.backend = f"postgresql+psycopg2://{place}"
        self._process: subprocess.Popen[bytes] | None = None
        given = self.folder / "password"
        given.write_text(password)
        given.chmod(0o644)  # the folder is closed to others
        command = [programs / "initdb", "-D", self.folder / "data", "-U", USER, "-E", "UTF8"]
        command += ["--locale=C", "-A", "scram-sha-256", f"--pwfile={given}"]
        done = subprocess.run(command, capture_output=True, text=True, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1"]
        command += ["-c", f"unix_socket_directories={self.folder}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._as
            )
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.query("select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, in a connection of its own."""
        with contextlib.closing(psycopg2.connect(self.uri)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())

    def kill(self) -> None:
        """SIGKILL to the server and to each of its processes, which have sessions of their own."""
        if self._process is None or self._process.poll() is not None:
            return
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)  # so that it starts no further ones
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()
        while any(_is_alive(int(child)) for child in children):
            time.sleep(0.05)

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder)


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _is_alive(pid: int) -> bool:
    """Whether it runs; one that is dead and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
