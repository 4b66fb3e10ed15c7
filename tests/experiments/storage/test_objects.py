"""Whole writes on conditions, against a real server, also where answers are lost."""

from __future__ import annotations

import itertools
import socket
import threading
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.storage.lease import require_conditions
from sport_ray.experiments.storage.mistakes import StoreAway, explained
from sport_ray.experiments.storage.objects import Changed, Exists, Objects
from sport_ray.experiments.storage.place import Place
from tests.experiments.storage.conftest import KEYS, SECRET
from tests.experiments.storage.faulty_proxy import Fault, Proxy


def test_an_object_is_created_once_and_replaced_only_as_it_was_seen(place: Place) -> None:
    objects = Objects(place)
    first = objects.create("a/b", b"one")
    with pytest.raises(Exists):
        objects.create("a/b", b"two")
    assert objects.create("a/b", b"one") == first  # asked again, it is done already
    second = objects.replace("a/b", b"two", first)
    with pytest.raises(Changed):
        objects.replace("a/b", b"three", first)
    assert objects.replace("a/b", b"two", first) == second
    with pytest.raises(Changed):
        objects.replace("a/none", b"one", first)
    found = objects.get("a/b")
    assert found is not None
    assert (found[0], found[1].version) == (b"two", second)
    assert [one.name for one in objects.list()] == ["a/b"]
    objects.delete("a/b")
    assert objects.get("a/b") is None
    assert objects.head("a/b") is None


def test_of_many_who_create_at_once_one_does(place: Place) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            Objects(place).create("one", str(number).encode())
        except Exists:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Objects(place).get("one")
    assert found is not None
    assert [found[0]] == [str(number).encode() for number in won]


@pytest.mark.parametrize("fault", ["503", "cut before", "cut after", 0.3])
def test_a_disturbed_write_is_done_once(fault: Fault, place: Place, proxy: Proxy) -> None:
    objects = Objects(place)
    count = itertools.count()
    proxy.rule = lambda method, path: fault if method == "PUT" and next(count) % 2 == 0 else "pass"
    seen = objects.create("a", b"one")
    seen = objects.replace("a", b"two", seen)
    assert objects.get("a") == (b"two", objects.head("a"))
    assert proxy.times(fault) >= 1


def test_half_an_answer_is_not_taken_for_an_object(place: Place, proxy: Proxy) -> None:
    objects = Objects(place)
    objects.create("a", bytes(100_000))
    count = itertools.count()
    proxy.rule = lambda method, path: "half" if method == "GET" and next(count) < 2 else "pass"
    found = objects.get("a")
    assert found is not None
    assert found[0] == bytes(100_000)
    assert proxy.times("half") == 2


def test_mistakes_in_one_line(
    place: Place, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = Objects(Place("s3", "no-such-bucket", "x"), 5.0)
    for ask in (
        lambda: nowhere.create("a", b""),
        lambda: nowhere.get("a"),
        lambda: [*nowhere.list()],
    ):
        with pytest.raises(UserError, match="there is no bucket 'no-such-bucket'"):
            ask()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(StoreAway, match="does not answer; look at the network") as away:
        Objects(place, 1.0).get("a")
    assert SECRET not in str(away.value)
    assert "\n" not in str(away.value)
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no credentials were found: set AWS_ACCESS_KEY_ID"):
        Objects(place, 1.0).get("a")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Server returned non-2xx status code: 403 Forbidden: AccessDenied", "permission denied"),
        ("Server returned non-2xx status code: 501: NotImplemented", "conditional writes"),
        ("Server returned non-2xx status code: 404: ContainerNotFound", "there is no container"),
        ("operation timed out", "does not answer"),
    ],
)
def test_what_servers_say(said: str, meant: str) -> None:
    assert meant in str(explained(RuntimeError(said), Place("az", "box", "x")))


def test_a_server_without_conditions_is_refused(place: Place, proxy: Proxy) -> None:
    require_conditions(Objects(place))
    assert [*Objects(place).list()] == []
    proxy.without = ("If-None-Match", "If-Match")
    with pytest.raises(UserError, match="does not support conditional writes"):
        require_conditions(Objects(place))
