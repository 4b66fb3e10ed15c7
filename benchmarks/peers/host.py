"""A process that holds engines and measures one when it is told to, on one core.

``python -m benchmarks.peers.host CORE`` reads a request a line from its standard input and writes
an answer a line to its standard output; whatever libraries print goes to standard error. A process
of its own for each library, so that none has threads or settings of another.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any


def _pin(core: int) -> None:
    """Put this process and all that it starts on one core, before any library counts cores."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


class Host:
    """Engines by (row, setting), made when they are first asked for."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._engines: dict[tuple[str, str], Any] = {}
        self._ray = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What a request asks for, what is missing for it, or how it failed."""
        try:
            engine = self._engine(request["row"], request["setting"], request["cells"])
            if request["seconds"] is None:
                return {}
            found: dict[str, Any] = engine.measure(request["seconds"]).to_json()
            return found
        except ModuleNotFoundError as error:
            return {"missing": f"needs {error.name}"}
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return {"missing": f"failed: {type(error).__name__}: {error}".splitlines()[0]}

    def _engine(self, key: str, setting: str, cells: int) -> Any:
        from benchmarks.peers.rows import BY_KEY

        if (key, setting) not in self._engines:
            row = BY_KEY[key]
            if row.host == "ray":
                self._start_ray()
            self._engines[key, setting] = row.make(setting, cells)
        return self._engines[key, setting]

    def _start_ray(self) -> None:
        if self._ray:
            return
        from sport_ray.experiments.cluster.session import quiet_ray, ray_session

        self._stack.enter_context(ray_session(num_cpus=1))
        quiet_ray()
        self._ray = True


def main() -> None:
    """Answer until the input ends."""
    _pin(int(sys.argv[1]))
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out, contextlib.ExitStack() as stack:
        os.dup2(2, 1)
        with contextlib.suppress(ModuleNotFoundError):
            import torch

            torch.set_num_threads(1)
        host = Host(stack)
        for line in sys.stdin:
            print(json.dumps(host.answer(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
