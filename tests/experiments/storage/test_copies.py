"""A driver's copy and a reader's: what is pushed, in which order, and who wins."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sport_ray.canonical import write_atomic, write_json
from sport_ray.errors import UserError
from sport_ray.experiments.live.state import read_state
from sport_ray.experiments.storage import copies, push, refresh
from sport_ray.experiments.storage.copies import driver_copy, reader_copy
from sport_ray.experiments.storage.index import Index
from sport_ray.experiments.storage.layout import for_report, for_status, rank
from sport_ray.experiments.storage.lease import LEASE, Lease, Watch
from sport_ray.experiments.storage.mistakes import StoreMistake
from sport_ray.experiments.storage.objects import Object, Objects
from sport_ray.experiments.storage.origin import origin_of
from sport_ray.experiments.storage.place import Place
from tests.experiments.storage.conftest import SECRET
from tests.experiments.storage.faulty_proxy import Proxy

RECORD = "cells/0a/record.json"


def finished(**more: object) -> dict[str, object]:
    return {"cell_id": "0a", "status": "finished", **more}


def fill(root: Path) -> None:
    """A folder as a driver leaves it, and what stays on its machine."""
    for name in ("study.json", "plan.json", "certificate.json", "policies/ab/policy.json"):
        write_json(root / name, {"name": "study"})
    for name in ("policies/ab/policy.safetensors", "certificate_outcomes.parquet", "study.yaml"):
        write_atomic(root / name, name.encode())
    write_atomic(root / "cells/0a/samples.npz", b"samples")
    write_json(root / RECORD, finished())
    write_atomic(root / "ledger.jsonl", b"{}\n")
    for name in (".tune/x", "mlflow.db", "mlflow.db-journal", "mlartifacts/a", "cells/0a/.x.tmp"):
        write_atomic(root / name, b"stays")


def names(place: Place) -> set[str]:
    return {one.name for one in Objects(place).list()} - {LEASE}


def body(place: Place, name: str) -> bytes:
    found = Objects(place).get(name)
    assert found is not None
    return found[0]


def test_what_a_driver_finishes_is_found_by_the_next_on_another_machine(
    place: Place, tmp_path: Path, proxy: Proxy
) -> None:
    said: list[str] = []
    with driver_copy(place, tmp_path / "one", said.append) as root:
        fill(root)
    written = {
        p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()
    }
    kept = {name: data for name, data in written.items() if data != b"stays"}
    assert names(place) == {*kept}
    put = [path for method, path, _ in proxy.told if method == "PUT" and "/." not in path]
    order = [rank(path.partition("/study/")[2]) for path in put]
    assert order == sorted(order)  # a record last: what it names is there
    with driver_copy(place, tmp_path / "two", said.append) as other:
        found = {p.relative_to(other).as_posix(): p for p in other.rglob("*") if p.is_file()}
        assert {name: path.read_bytes() for name, path in found.items()} == kept
    with driver_copy(place, tmp_path / "two", said.append):
        pass
    assert [line.split(",")[1] for line in said] == [
        " 0 files fetched; copy on this machine: " + str(root),
        f" {len(kept)} files fetched; copy on this machine: {other}",
        f" 0 files fetched; copy on this machine: {other}",
    ]
    assert SECRET not in " ".join(said)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


def test_a_large_ledger_is_sent_less_often(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.2 MB of ten thousand cells, which is sent whole, every 49 s instead of every ten."""
    now = 1000.0
    monkeypatch.setattr(push.time, "monotonic", lambda: now)
    ledger = tmp_path / "ledger.jsonl"
    write_atomic(ledger, b"x" * 3_200_000)
    objects = Objects(place)
    pusher = push.Pusher(objects, tmp_path, Index(None), Watch(objects, "us"))
    assert pusher.round() == 1
    for seconds, more, sent in [(45.0, b"\n", []), (4.0, b"", [ledger.name]), (0.0, b"", [])]:
        now += seconds
        with ledger.open("ab") as file:
            file.write(more)
        assert pusher.waiting() == sent
        pusher.round()
    write_atomic(ledger, b"folded\n")
    assert pusher.waiting(last=True) == [ledger.name]
    now += 11.0  # it is small again
    pusher.round()
    assert body(place, ledger.name) == b"folded\n"


def test_the_first_finished_record_stays(place: Place, tmp_path: Path) -> None:
    with driver_copy(place, tmp_path / "one", print) as root:
        write_json(root / RECORD, finished(by="one"))
    with driver_copy(place, tmp_path / "two", print) as other:
        # A worker of a driver that was taken for dead writes what is there already.
        Objects(place).create("cells/0b/record.json", json.dumps(finished(by="them")).encode())
        write_json(other / "cells/0b/record.json", finished(by="us"))
    assert json.loads(body(place, "cells/0b/record.json"))["by"] == "them"
    assert json.loads((other / "cells/0b/record.json").read_text())["by"] == "them"
    assert json.loads((other / RECORD).read_text())["by"] == "one"


def test_a_failed_record_gives_way(place: Place, tmp_path: Path) -> None:
    with driver_copy(place, tmp_path / "one", print) as root:
        write_json(root / RECORD, {"cell_id": "0a", "status": "failed"})
    with driver_copy(place, tmp_path / "two", print) as other:
        write_json(other / RECORD, finished(by="two"))
    assert json.loads(body(place, RECORD))["by"] == "two"


def test_what_could_not_be_sent_is_sent_by_the_next_from_there(
    place: Place, tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "END_SECONDS", 1.0)
    with (
        pytest.raises(UserError, match=r"11 files could not be sent; they are kept"),
        driver_copy(place, tmp_path / "one", print) as root,
    ):
        pushing = copies.drivers[root]
        proxy.rule = lambda method, path: "503"
        fill(root)
        write_json(root / "cells/0b/record.json", finished(by="one"))
    pushing._ended.wait()  # what it still asks for is refused, too
    proxy.rule = lambda method, path: "pass"
    assert names(place) == set()
    other = Objects(place)
    other.create("study.json", b'{"name": "newer"}')  # by a driver elsewhere, since
    other.create("cells/0b/record.json", b'{"status": "failed"}')
    with driver_copy(place, tmp_path / "one", print) as root:
        assert json.loads((root / "study.json").read_text()) == {"name": "newer"}
    assert names(place) >= {RECORD, "policies/ab/policy.json", "ledger.jsonl"}
    assert json.loads(body(place, "cells/0b/record.json"))["by"] == "one"


def test_what_is_removed_from_the_store_is_removed_here(place: Place, tmp_path: Path) -> None:
    with driver_copy(place, tmp_path / "one", print) as root:
        fill(root)
    reader = reader_copy(place)
    Objects(place).delete(RECORD)
    with driver_copy(place, tmp_path / "one", print) as root:
        assert not (root / RECORD).exists()
    assert (reader / RECORD).exists()
    assert not (reader_copy(place) / RECORD).exists()


def test_readers_fetch_what_they_need_and_see_the_stores_view(place: Place, tmp_path: Path) -> None:
    with driver_copy(place, tmp_path / "one", print) as root:
        fill(root)
        write_atomic(root / "figures/a.png", b"drawn")
        write_atomic(root / "cells.csv", b"table")
    copy = reader_copy(place, for_status)
    assert origin_of(copy) == place
    assert origin_of(root) == place
    assert origin_of(tmp_path) is None
    found = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()}
    assert found == {
        "study.json",
        "study.yaml",
        "plan.json",
        "certificate.json",
        "ledger.jsonl",
        RECORD,
    }
    reader_copy(place, for_report)
    assert (copy / "cells/0a/samples.npz").exists()
    assert not (copy / "policies").exists()
    write_json(copy / RECORD, finished(by="me"))
    reader_copy(place)
    assert "by" not in json.loads((copy / RECORD).read_text())
    assert (copy / "policies/ab/policy.safetensors").exists()
    assert not (copy / "figures").exists()


def test_nothing_there(place: Place) -> None:
    with pytest.raises(UserError, match=f"{place} holds no results"):
        reader_copy(place)


def test_a_place_may_be_watched_before_anything_is_there(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 0.1)
    copy = reader_copy(place, for_report, may_be_empty=True)
    with refresh.refreshed(copy):
        state = read_state(copy)
        assert (state.phase, state.study) == ("waiting", str(place))
        with driver_copy(place, tmp_path / "one", print) as root:
            write_json(root / "study.json", {"name": "mine"})
        while read_state(copy).study != "mine":
            time.sleep(0.02)
    no_bucket = place._replace(bucket="not-made")
    with pytest.raises(UserError, match="there is no bucket 'not-made'"):
        reader_copy(no_bucket, for_report, may_be_empty=True)


def test_a_folder_of_something_else_is_refused(place: Place, tmp_path: Path) -> None:
    def take(home: str, wanted: Place = place) -> None:
        with driver_copy(wanted, tmp_path / home, print):
            pass

    write_atomic(tmp_path / "mine/results/a", b"")
    with pytest.raises(UserError, match=r"is no copy of s3://.*choose another --work-dir"):
        take("mine")
    take("one")
    with pytest.raises(UserError, match="holds the copy of s3://"):
        take("one", place._replace(prefix="other"))


def test_a_copy_that_is_watched_stays_current(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 0.1)
    with driver_copy(place, tmp_path / "one", print) as root:
        write_json(root / "study.json", {"name": "study"})
    copy = reader_copy(place, for_report)
    with refresh.refreshed(copy):
        Objects(place).create(RECORD, json.dumps(finished()).encode())
        while not (copy / RECORD).exists():
            time.sleep(0.02)
    with refresh.refreshed(root), refresh.refreshed(tmp_path):  # no readers' copies: as they are
        pass
    assert not (root / RECORD).exists()


def test_a_driver_of_one_base_and_one_of_all_are_never_there_at_once(
    place: Place, tmp_path: Path
) -> None:
    base = place.below("paper_0")
    all_bases = Lease(Objects(place))
    all_bases.take()
    with (
        pytest.raises(UserError, match=rf"{place}: another driver .* is at work there already"),
        driver_copy(base, tmp_path / "base", print),
    ):
        pass
    all_bases.release()
    with (
        driver_copy(base, tmp_path / "base", print),
        pytest.raises(UserError, match=rf"{base}: another driver .* is at work there already"),
        driver_copy(place, tmp_path / "all", print),
    ):
        pass
    with driver_copy(place, tmp_path / "all", print):  # both have let go
        pass


def test_a_place_above_that_is_closed_to_us_is_no_obstacle(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Objects.get

    def refuse(self: Objects, name: str) -> tuple[bytes, Object] | None:
        if self.place == place.above:
            raise StoreMistake("no permission")
        return get(self, name)

    monkeypatch.setattr(Objects, "get", refuse)
    with driver_copy(place, tmp_path, print):
        pass
