"""Whole studies through an object store, disturbed, and resumed on another machine.

Another machine is another process with a folder of its own that is empty. What the store holds
afterwards is compared with a run on a disk that nothing happened to: certificate, table, policies
and samples byte for byte, records in all fields but times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.storage import lease as lease_module
from sport_ray.experiments.storage.copies import reader_copy
from sport_ray.experiments.storage.lease import LEASE, Lease
from sport_ray.experiments.storage.objects import Changed, Objects
from sport_ray.experiments.storage.place import Place
from tests.experiments.calling import called
from tests.experiments.conftest import SMALL
from tests.experiments.faults.harness import (
    TIMES,
    certifying,
    command,
    descendants,
    end,
    kill_whole,
    sport_ray,
)
from tests.experiments.storage.conftest import SECRET
from tests.experiments.storage.faulty_proxy import Fault, Proxy

pytestmark = [pytest.mark.slow, pytest.mark.fault]

STUDY: dict[str, Any] = {
    "name": "stored",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 30},
    "sweep": {"alphas": [1.02, 1.05, 1.1], "horizons": [20, 25], "seeds": [0]},
    "task_policies": {"imported": {"path": str(BUNDLED / "point_reach_avoid")}},
    "evaluation": {"num_scenarios": 100, "beta": 1e-3},
}
TRAINED: dict[str, Any] = {
    **{name: value for name, value in STUDY.items() if name != "task_policies"},
    "engine": "single",  # a job a cell
    "sweep": {"alphas": [1.2], "horizons": [25], "seeds": [0, 1, 2], "methods": ["projected_ppo"]},
    "training": SMALL["training"],
}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results on a disk; the study lies beside them."""
    root = tmp_path_factory.mktemp("undisturbed")
    (root / "study.yaml").write_text(yaml.safe_dump(STUDY))
    words = ("run", root / "study.yaml", "--results", root / "results", "--no-ray")
    done = called(*words, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "results"


def contents(root: Path) -> dict[str, Any]:
    """What must be the same: records without times, all else that is no history byte for byte."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith("cells/") and name.endswith("record.json"):
            record = json.loads(path.read_text())
            found[name] = {key: value for key, value in record.items() if key not in TIMES}
        elif path.is_file() and name.split("/")[0] in (
            "base", "cells", "policies", "plan.json", "study.json", "study.yaml",
            "certificate.json", "certificate_outcomes.parquet",
        ):  # fmt: skip
            found[name] = path.read_bytes()
    return found


def require_as_undisturbed(place: Place, undisturbed: Path) -> None:
    """The store holds what the disk holds, and nothing else of a study."""
    kept, wanted = contents(reader_copy(place)), contents(undisturbed)
    assert {*kept} == {*wanted}
    assert [name for name in wanted if kept[name] != wanted[name]] == []
    assert all(
        record["status"] == "finished" for record in kept.values() if isinstance(record, dict)
    )
    for one in Objects(place).list():
        found = Objects(place).get(one.name)
        assert found is not None
        assert SECRET.encode() not in found[0], one.name


@contextmanager
def driving(
    study: Path, place: Place, home: Path, *more: str, stage: str = "run"
) -> Iterator[subprocess.Popen[str]]:
    """A driver in a session of its own, with its cache in `home`; ended by pid, if it must be."""
    words = command(stage, study, "--results", place, *more)
    env = os.environ | {"SPORT_RAY_CACHE": str(home), "COLUMNS": "200"}
    pipe = subprocess.PIPE
    driver = subprocess.Popen(
        words, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=env
    )
    try:
        yield driver
    finally:
        kill_whole(driver)
        driver.communicate()


def on_another_machine(
    study: Path, place: Place, home: Path, *more: str, stage: str = "run"
) -> str:
    """The same command, in an empty cache, to its end."""
    with driving(study, place, home, *more, stage=stage) as driver:
        out, err = driver.communicate(timeout=850)
    assert driver.returncode == 0, out + err
    return out


def records_in(place: Place) -> int:
    return sum(one.name.endswith("record.json") for one in Objects(place).list())


MOMENTS = {
    "before a certificate": ("certificate.json", "before", 1),
    "before the first record, whose files are there": ("record.json", "before", 1),
    "before the third record": ("record.json", "before", 3),
    "once a record is there and the answer is not": ("record.json", "after", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_between_two_pushes(
    moment: str, place: Place, proxy: Proxy, undisturbed: Path, tmp_path: Path
) -> None:
    """SIGKILL while a push waits, or its answer does."""
    ending, when, which = MOMENTS[moment]
    study = undisturbed.parent / "study.yaml"
    reached, seen, lock = threading.Event(), set[str](), threading.Lock()

    def rule(method: str, path: str) -> Fault:
        if reached.is_set():  # nothing more of this driver is heard
            time.sleep(0.2)
            return "cut before"
        if method == "PUT" and path.endswith(ending):
            with lock:
                seen.add(path)
                if len(seen) >= which:
                    reached.set()
                    return "cut after" if when == "after" else "cut before"
        return "pass"

    proxy.rule = rule
    with driving(study, place, tmp_path / "first", "--no-ray") as driver:
        while not reached.wait(0.1):
            assert driver.poll() is None, driver.communicate()
        driver.kill()
        driver.wait()
    proxy.rule = lambda method, path: "pass"
    time.sleep(0.5)
    before = {one.name: one.version for one in Objects(place).list() if "record" in one.name}
    out = on_another_machine(study, place, tmp_path / "second", "--no-ray")
    assert "files fetched" in out
    require_as_undisturbed(place, undisturbed)
    after = {one.name: one.version for one in Objects(place).list()}
    assert before == {name: after[name] for name in before}  # the first record stays


def test_a_store_that_is_slow_refuses_and_cuts(
    place: Place, proxy: Proxy, undisturbed: Path, tmp_path: Path
) -> None:
    """A third of all requests, also of the second machine's."""
    chance = random.Random(0)
    faults: list[Fault] = ["503", "cut before", "cut after", "half", 0.5]
    proxy.rule = lambda method, path: chance.choice(faults) if chance.random() < 0.33 else "pass"
    study = undisturbed.parent / "study.yaml"
    with driving(study, place, tmp_path / "first", "--no-ray") as driver:
        while records_in(place) < 2:
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.1)
        os.killpg(driver.pid, signal.SIGKILL)
    on_another_machine(study, place, tmp_path / "second", "--no-ray")
    assert min(proxy.times(fault) for fault in faults) > 3
    proxy.rule = lambda method, path: "pass"
    require_as_undisturbed(place, undisturbed)


def here(place: Place, home: Path, monkeypatch: pytest.MonkeyPatch, study: Path) -> Any:
    """`sport-ray run` in this process, with its cache in `home`."""
    monkeypatch.setenv("SPORT_RAY_CACHE", str(home))
    return called("run", study, "--results", place, "--no-ray", cwd=study.parent)


def test_a_store_that_is_away_for_a_while(
    place: Place,
    proxy: Proxy,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the first record on, until ten requests were refused and the sweep has ended."""
    away, refused = threading.Event(), threading.Event()

    def rule(method: str, path: str) -> Fault:
        if path.endswith("record.json"):
            away.set()
        if proxy.times("503") > 10 and [*tmp_path.glob("*/*/driver/results/report.html")]:
            refused.set()
        return "503" if away.is_set() and not refused.is_set() else "pass"

    proxy.rule = rule
    done = here(place, tmp_path / "first", monkeypatch, undisturbed.parent / "study.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert refused.is_set()
    assert "the study goes on, and what is finished is sent later" in done.stdout
    require_as_undisturbed(place, undisturbed)


def test_ctrl_c_and_resumed_elsewhere(
    place: Place,
    proxy: Proxy,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a record is there: the lease is free at once, and all that is finished is there."""
    study, pressed = undisturbed.parent / "study.yaml", threading.Event()

    def press() -> None:
        cells = tmp_path / "first"
        while not [*cells.glob("*/driver/results/cells/*/record.json")]:
            time.sleep(0.002)
        pressed.set()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    done = here(place, tmp_path / "first", monkeypatch, study)
    assert pressed.is_set()
    assert done.returncode == 130, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert f"Resume with: sport-ray run {study} --results {place} --no-ray" in said
    (home,) = (tmp_path / "first").glob("*/driver/results")
    finished = [*home.glob("cells/*/record.json")]
    assert 0 < records_in(place) == len(finished)
    done = here(place, tmp_path / "second", monkeypatch, study)
    assert done.returncode == 0, done.stdout + done.stderr
    require_as_undisturbed(place, undisturbed)


def test_sigterm_while_certifying_and_resumed_elsewhere(place: Place, tmp_path: Path) -> None:
    """To the driver alone: the lease is free at once, and the certificate the same to the bit."""
    study, root = tmp_path / "study.yaml", tmp_path / "whole"
    certificate = STUDY["certificate"] | {"num_scenarios": 20_000}
    study.write_text(yaml.safe_dump(STUDY | {"certificate": certificate}))
    assert called("certify", study, "--results", root, "--no-ray", cwd=tmp_path).returncode == 0
    with driving(study, place, tmp_path / "first", "--no-ray", stage="certify") as driver:
        while not any(map(certifying, tmp_path.glob("first/*/driver/results"))):
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.05)
        driver.send_signal(signal.SIGTERM)
        out, err = driver.communicate()
    assert driver.returncode == 143, out + err
    again = f"sport-ray certify {study} --results {place} --no-ray"
    assert err.strip().splitlines()[-1].endswith(f"Resume with: {again}")
    lease = Objects(place).get(LEASE)
    assert lease is not None
    assert json.loads(lease[0])["released"]
    on_another_machine(study, place, tmp_path / "second", "--no-ray", stage="certify")
    for name in ("certificate.json", "certificate_outcomes.parquet"):
        found = Objects(place).get(name)
        assert found is not None
        assert found[0] == (root / name).read_bytes()


def test_a_second_driver_is_refused_and_one_that_is_taken_over_stops(
    place: Place,
    proxy: Proxy,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by a driver elsewhere that heard nothing of this one for a minute."""
    study, refused = undisturbed.parent / "study.yaml", []
    monkeypatch.setattr(lease_module, "HEARTBEAT_SECONDS", 0.2)

    def take_over() -> None:
        while Objects(place).head(LEASE) is None or not proxy.told:
            time.sleep(0.01)
        try:
            Lease(Objects(place)).take()
        except UserError as error:
            refused.append(str(error))
        while True:
            found = Objects(place).get(LEASE)
            assert found is not None
            other = json.loads(found[0]) | {"token": "other", "released": True, "host": "there"}
            try:
                Objects(place).replace(LEASE, json.dumps(other).encode(), found[1].version)
                return
            except Changed:
                continue

    thread = threading.Thread(target=take_over, daemon=True)
    thread.start()
    done = here(place, tmp_path / "first", monkeypatch, study)
    thread.join()
    assert done.returncode == 2, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert "another driver (process" in said
    assert "on there) took it over" in said
    assert "is at work there already" in refused[0]
    done = here(place, tmp_path / "second", monkeypatch, study)
    assert done.returncode == 0, done.stdout + done.stderr
    require_as_undisturbed(place, undisturbed)


def test_readers_from_a_laptop(
    place: Place, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, report, verify and export by URI, with the numbers of the folder."""

    def said(*words: object) -> str:
        done = called(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    study = undisturbed.parent / "study.yaml"
    done = here(place, tmp_path / "first", monkeypatch, study)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(said("status", place, "--json"))
    assert len(told["done"]) == told["planned"] == len([*undisturbed.glob("cells/*")])
    out = tmp_path / "page"
    assert f"report: {out / 'report.html'}" in said("report", place, "--out", out)
    said("report", undisturbed, "--out", tmp_path / "same")
    assert (out / "pareto.csv").read_bytes() == (tmp_path / "same/pareto.csv").read_bytes()
    said("verify", place)
    cell = min(path.name for path in undisturbed.glob("cells/*"))
    said("export", f"{place}/cells/{cell}", "--out", tmp_path / "bundle")
    said("verify", tmp_path / "bundle")


@pytest.mark.timeout(3_000)
def test_with_training_on_ray_killed_in_the_middle(
    place: Place, proxy: Proxy, tmp_path: Path
) -> None:
    """Driver and workers, once the store has one of three trained cells."""
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(TRAINED))
    sport_ray("run", study, "--results", tmp_path / "local")
    first = threading.Event()

    def rule(method: str, path: str) -> Fault:
        if first.is_set():  # nothing more of this driver is heard
            time.sleep(0.2)
            return "cut before"
        if method == "PUT" and path.endswith("record.json"):
            first.set()
        return "pass"

    proxy.rule = rule
    with driving(study, place, tmp_path / "first") as driver:
        while not first.wait(0.1):
            assert driver.poll() is None, driver.communicate()
        started = descendants(driver.pid)
        driver.kill()
        driver.wait()
        end(started)
    proxy.rule = lambda method, path: "pass"
    assert records_in(place) == 1
    on_another_machine(study, place, tmp_path / "second")
    require_as_undisturbed(place, tmp_path / "local")
