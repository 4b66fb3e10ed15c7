"""`sport-ray` called in this process: a process of its own costs seconds of imports."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from sport_ray.experiments.cli.main import main


def called(*arguments: object, cwd: Path) -> CompletedProcess[str]:
    """What the command prints and its exit status, as a process of its own would have them."""
    words, out, err, status = [*map(str, arguments)], io.StringIO(), io.StringIO(), 0
    environment = {"COLUMNS": "120", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with (
        mock.patch.object(sys, "argv", ["sport-ray", *words]),
        mock.patch.dict("os.environ", environment),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return CompletedProcess(words, status, out.getvalue(), err.getvalue())
