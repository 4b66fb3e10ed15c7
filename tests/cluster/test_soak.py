"""Everything at once, for hours: a study on a cluster whose nodes come and go, and all around it.

The driver, `sport-ray watch` with a reader, MLflow on PostgreSQL, an S3 server behind a proxy that
disturbs. Once a minute something happens to a node or a service. Memory, file handles and threads
are noted meanwhile. Then the study is stopped and ended from another machine, and compared with a
run on one machine, which nothing happened to. `SPORT_RAY_SOAK_MINUTES` says for how long, and
`SPORT_RAY_SOAK_OUT` where what was seen is kept.
"""

from __future__ import annotations

import csv
import http.client
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from sport_ray.experiments.storage.copies import reader_copy
from sport_ray.experiments.storage.place import Place
from sport_ray.tracking.mlflow.log import CELL_TAG
from tests.cluster.conftest import SPORT_RAY, LocalCluster, local_cluster, numbers
from tests.experiments.faults.harness import STUDY, descendants, end, kill_whole
from tests.experiments.faults.test_nodes import SETTINGS
from tests.experiments.storage.conftest import place, proxy, s3_server
from tests.experiments.storage.faulty_proxy import Fault, Proxy
from tests.mlflow_server import MlflowServer
from tests.postgres_server import PostgresServer, find_programs

__all__ = ["place", "proxy", "s3_server"]

PROGRAMS = find_programs()
MINUTES = float(os.environ.get("SPORT_RAY_SOAK_MINUTES", "120"))
EVERY_SECONDS = 60.0
NODES = 2
PAGE = os.sysconf("SC_PAGE_SIZE")


class Node:
    """One CPU of the cluster, and what can happen to it."""

    def __init__(self, cluster: LocalCluster, home: Path) -> None:
        self.process = cluster.start_node(
            "--num-cpus=1", f"--address={cluster.address}", SPORT_RAY_CACHE=str(home)
        )

    def processes(self) -> dict[int, str]:
        return descendants(self.process.pid)

    def kill(self) -> None:
        """All that runs there, at once."""
        kill_whole(self.process)

    def kill_raylet(self) -> None:
        """Its workers live on until they notice."""
        below = self.processes()
        for pid in below:
            if b"/raylet/raylet" in _command(pid):
                os.kill(pid, signal.SIGKILL)
        time.sleep(5)
        self.kill()
        end(below)

    def freeze(self, seconds: float) -> None:
        """Neither heard nor seen for a while, as by a network that is cut; then it is back."""
        below = self.processes()
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        time.sleep(5)
        self.kill()
        end(below)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Chaos(threading.Thread):
    """One event a minute, in turn; a node that is gone is followed by a new one."""

    def __init__(
        self, cluster: LocalCluster, home: Path, proxy: Proxy, server: MlflowServer
    ) -> None:
        super().__init__(daemon=True)
        self.homes = (home / f"node-{number}" for number in itertools.count())
        self.cluster, self.proxy, self.server = cluster, proxy, server
        self.over = threading.Event()
        self.told: list[str] = []
        self.error: Exception | None = None
        self.nodes = [Node(cluster, next(self.homes)) for _ in range(NODES)]
        self.usual()

    def usual(self) -> None:
        """One request in fifty is disturbed, always."""
        chance = random.Random(0)
        faults: list[Fault] = ["503", "cut before", "cut after", "half", 0.5]
        self.proxy.rule = lambda method, path: (
            chance.choice(faults) if chance.random() < 0.02 else "pass"
        )

    def node_killed(self) -> None:
        self._replaced(lambda node: node.kill())

    def raylet_killed(self) -> None:
        self._replaced(lambda node: node.kill_raylet())

    def node_frozen_and_back(self) -> None:
        self._replaced(lambda node: node.freeze(20))

    def _replaced(self, what: Callable[[Node], None]) -> None:
        what(self.nodes.pop(0))
        self.nodes.append(Node(self.cluster, next(self.homes)))

    def store_away(self) -> None:
        self.proxy.rule = lambda method, path: "503"
        self.over.wait(15)
        self.usual()

    def store_slow(self) -> None:
        self.proxy.rule = lambda method, path: 2.0
        self.over.wait(20)
        self.usual()

    def tracking_frozen(self) -> None:
        self.server.signal(signal.SIGSTOP)
        self.over.wait(20)
        self.server.signal(signal.SIGCONT)

    def run(self) -> None:
        events = (
            self.node_killed,
            self.store_away,
            self.raylet_killed,
            self.tracking_frozen,
            self.node_frozen_and_back,
            self.store_slow,
        )
        try:
            for event in itertools.cycle(events):
                if self.over.wait(EVERY_SECONDS):
                    return
                event()
                self.told.append(event.__name__)
        except Exception as error:
            self.error = error
        finally:
            self.usual()


class Notes:
    """What processes take: MiB resident, open files, threads; by name, over time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.began = time.monotonic()

    def note(self, cells: int, **watched: list[int]) -> None:
        for name, pids in watched.items():
            row: dict[str, Any] = {"minute": (time.monotonic() - self.began) / 60, "cells": cells}
            row |= {"process": name, "mib": 0.0, "files": 0, "threads": 0}
            for pid in pids:
                with suppress(OSError):
                    root = Path(f"/proc/{pid}")
                    row["mib"] += int((root / "statm").read_text().split()[1]) * PAGE / 2**20
                    row["files"] += len([*(root / "fd").iterdir()])
                    row["threads"] += len([*(root / "task").iterdir()])
            self.rows.append(row)
        with self.path.open("w", newline="") as file:
            table = csv.DictWriter(file, [*self.rows[0]])
            table.writeheader()
            table.writerows(self.rows)

    def quarters(self, name: str, what: str) -> list[float]:
        """Medians of the four quarters of the time."""
        rows = [row for row in self.rows if row["process"] == name]
        whole = rows[-1]["minute"]
        return [
            statistics.median(row[what] for row in rows if int(4 * row["minute"] / whole) in ends)
            for ends in ((0,), (1,), (2,), (3, 4))
        ]


class Reader(threading.Thread):
    """Looks at the watch page every ten seconds, as a browser that is left open would."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over = url, threading.Event()
        self.read, self.missed, self.longest = 0, 0, 0.0

    def run(self) -> None:
        while not self.over.wait(10):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=60) as page:
                    assert b"</html>" in page.read()
                self.read += 1
            except (OSError, http.client.HTTPException, AssertionError):
                self.missed += 1
            self.longest = max(self.longest, time.monotonic() - began)


@contextmanager
def command(
    cluster: LocalCluster, log: Path, home: Path, *words: object
) -> Iterator[subprocess.Popen[bytes]]:
    """`sport-ray` beside the cluster, its words in a file; ended with all below it."""
    env = cluster.env | {"SPORT_RAY_CACHE": str(home), "COLUMNS": "200"}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*SPORT_RAY, *map(str, words)], stdout=out, stderr=out, start_new_session=True, env=env
        )
    try:
        yield process
    finally:
        kill_whole(process)


def study_of(seeds: int, uri: str) -> dict[str, Any]:
    """Two cells a seed, each of its own training: some seconds, so that events meet them."""
    training = STUDY["training"] | {"env_steps": 8_192, "train_batch_size": 1_024}
    grid = {"alphas": [1.2, 1.5], "horizons": [25], "seeds": [*range(seeds)]}
    return STUDY | {
        "name": "soak",
        "sweep": grid | {"methods": ["projected_ppo"]},
        "training": training,
        "evaluation": {"num_scenarios": 500, "beta": 1e-3},
        "tracking": {"uri": uri},
    }


def finished_in(home: Path) -> int:
    return len([*home.glob("*/driver/results/cells/*/record.json")])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60 + 3_600)
@pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL here")
def test_hours_of_everything(place: Place, proxy: Proxy, tmp_path: Path) -> None:
    assert PROGRAMS is not None
    kept = Path(os.environ.get("SPORT_RAY_SOAK_OUT", tmp_path))
    kept.mkdir(parents=True, exist_ok=True)
    database = PostgresServer(PROGRAMS)
    server = MlflowServer(tmp_path, database.backend)
    first, study = tmp_path / "first", tmp_path / "study.yaml"
    notes = Notes(kept / "soak.csv")
    try:
        database.start()
        server.start()
        study.write_text(yaml.safe_dump(study_of(int(20 * MINUTES) + 8, server.uri)))
        with local_cluster() as cluster:
            patient = {"RAY_health_check_failure_threshold": "10"}  # the machine may be busy
            keys = {k: v for k, v in os.environ.items() if k.startswith("AWS")}
            cluster.env |= SETTINGS | patient | keys
            cluster.host = "127.0.0.1"
            cluster.start_head()
            chaos = Chaos(cluster, tmp_path, proxy, server)
            cluster.wait_for_cpus(NODES)
            words = ("run", study, "--results", place, "--address", cluster.address)
            page = kept / "watch.txt"
            with ExitStack() as stack:
                driver = stack.enter_context(command(cluster, kept / "driver.txt", first, *words))
                until(lambda: finished_in(first) > 0, driver)
                watch = stack.enter_context(
                    command(cluster, page, tmp_path / "reader", "watch", place)
                )
                until(lambda: "http" in page.read_text(), watch)
                url = next(line for line in page.read_text().split() if line.startswith("http"))
                reader = Reader(url)
                reader.start()
                chaos.start()
                notes.began = time.monotonic()
                while time.monotonic() - notes.began < 60 * MINUTES:
                    assert driver.poll() is None, (kept / "driver.txt").read_text()[-3000:]
                    assert watch.poll() is None, page.read_text()[-3000:]
                    assert chaos.error is None
                    notes.note(
                        finished_in(first),
                        driver=[driver.pid],
                        watch=[watch.pid],
                        tracking=[server.pid, *descendants(server.pid)],
                    )
                    time.sleep(15)
                chaos.over.set()
                reader.over.set()
                chaos.join()
                assert chaos.error is None
                driver.send_signal(signal.SIGINT)
                assert driver.wait(120) == 130
                cells = finished_in(first)
                # By design: a cell that has lost its worker three times; the next run repeats it.
                failed = [one for one in records_of(first) if one["status"] != "finished"]
            ended = tmp_path / "ended.yaml"
            seeds = 1 + max(record["seed"] for record in records_of(first))
            ended.write_text(yaml.safe_dump(study_of(seeds, server.uri)))
            log = kept / "second.txt"
            again = ("run", ended, "--results", place, "--address", cluster.address)
            with command(cluster, log, tmp_path / "second", *again) as second:
                assert second.wait(2_700) == 0, log.read_text()[-3000:]
        found = numbers(reader_copy(place))
        assert len(found) == 2 * seeds
        assert {record["status"] for record in found.values()} == {"finished"}
        require_one_run_each(server.uri, found)
        compared = require_the_same_as_alone(found, tmp_path, seeds, server.uri)
    finally:
        server.kill()
        database.remove()
    told = {
        "minutes": MINUTES,
        "cells": cells,
        "lost three times": len(failed),
        "cells in the end": 2 * seeds,
        "compared": compared,
        "events": {name: chaos.told.count(name) for name in sorted({*chaos.told})},
        "requests": len(proxy.told),
        "requests disturbed": sum(fault != "pass" for _, _, fault in proxy.told),
        "pages read": reader.read,
        "pages missed": reader.missed,
        "longest page, s": round(reader.longest, 2),
        **{
            f"{name}, {what}": [round(one, 1) for one in notes.quarters(name, what)]
            for name in ("driver", "watch", "tracking")
            for what in ("mib", "files", "threads")
        },
    }
    (kept / "soak.json").write_text(json.dumps(told, indent=1))
    print(json.dumps(told, indent=1))
    assert reader.read > 10 * reader.missed
    assert reader.read > MINUTES
    for name in ("driver", "watch", "tracking"):
        for what, room in (("files", 10), ("threads", 10), ("mib", 60)):
            _, second_quarter, _, last = notes.quarters(name, what)
            assert last <= 1.1 * second_quarter + room, (name, what, told)


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None, process.args
        time.sleep(0.5)


def records_of(home: Path) -> list[dict[str, Any]]:
    return [
        json.loads(path.read_text()) for path in home.glob("*/driver/results/cells/*/record.json")
    ]


def require_one_run_each(uri: str, found: dict[str, Any]) -> None:
    """No cell has two runs in MLflow, and none is without."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("soak")
    runs, token = [], None
    while True:
        page = client.search_runs([experiment.experiment_id], max_results=500, page_token=token)
        runs += page
        token = page.token
        if not token:
            break
    cells = sorted(run.data.tags[CELL_TAG] for run in runs if CELL_TAG in run.data.tags)
    assert cells == sorted(found)


def require_the_same_as_alone(found: dict[str, Any], root: Path, seeds: int, uri: str) -> int:
    """Every fortieth seed again, on one machine and a disk: the same to the bit; how many."""
    again = study_of(seeds, uri)
    again["sweep"] |= {"seeds": [*range(0, seeds, 40)]}
    again["tracking"] = {"uri": None}
    (root / "alone.yaml").write_text(yaml.safe_dump(again))
    words = [*SPORT_RAY, "run", str(root / "alone.yaml"), "--results", str(root / "alone")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3_000)
    assert done.returncode == 0, done.stdout + done.stderr
    alone = numbers(root / "alone")
    assert {cell: found[cell] for cell in alone} == alone
    return len(alone)
