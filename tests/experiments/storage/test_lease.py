"""One driver at a time, by an object that names it."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.storage import lease as module
from sport_ray.experiments.storage.lease import LEASE, Lease, LeaseLost
from sport_ray.experiments.storage.objects import Object, Objects
from sport_ray.experiments.storage.place import Place
from tests.experiments.storage.faulty_proxy import Proxy


def rewrite(place: Place, **changes: object) -> None:
    """What another machine's holder would have written."""
    objects = Objects(place)
    found = objects.get(LEASE)
    assert found is not None
    body = json.dumps(json.loads(found[0]) | changes).encode()
    objects.replace(LEASE, body, found[1].version)


def test_a_second_driver_is_refused_until_the_first_lets_go(place: Place) -> None:
    first, second = Lease(Objects(place)), Lease(Objects(place))
    first.take()
    first.require()
    with pytest.raises(UserError, match=r"another driver \(process \d+ on .*\) is at work"):
        second.take()
    first.release()
    third = Lease(Objects(place))
    third.take()
    third.release()


def test_of_a_dead_process_of_this_machine_it_is_taken_at_once(place: Place) -> None:
    Lease(Objects(place)).take()
    rewrite(place, pid=2**22 + 1, started="gone")  # no such process
    second = Lease(Objects(place))
    second.take()
    second.require()
    second.release()


def test_of_another_machine_after_a_minute_of_silence(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lease(Objects(place)).take()
    rewrite(place, processes="another machine", host="there")
    with pytest.raises(UserError, match=r"on there\) is at work .*try again in \d\d s"):
        Lease(Objects(place)).take()
    head = Objects.head

    def a_minute_later(self: Objects, name: str) -> Object | None:
        found = head(self, name)
        return found and found._replace(modified=found.modified + timedelta(seconds=61))

    monkeypatch.setattr(Objects, "head", a_minute_later)  # the store's clock
    Lease(Objects(place)).take()


def test_of_two_who_take_it_at_once_one_has_it(place: Place) -> None:
    won = []

    def take() -> None:
        lease = Lease(Objects(place))
        try:
            lease.take()
        except UserError:
            return
        won.append(lease)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].require()
    won[0].release()


def test_a_lost_lease_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    noticed = threading.Event()
    lease = Lease(Objects(place), noticed.set)
    lease.take()
    for _ in range(20):  # the holder renews meanwhile
        try:
            rewrite(place, token="another", processes="another machine")
            break
        except module.Changed:
            continue
    assert noticed.wait(20)
    assert lease.lost
    with pytest.raises(LeaseLost, match="took it over"):
        lease.require()
    lease.release()
    found = Objects(place).get(LEASE)
    assert found is not None
    assert json.loads(found[0])["token"] == "another"  # let alone


def test_a_store_that_is_away_for_a_while_costs_nothing(
    place: Place, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.05)
    lease = Lease(Objects(place, 0.5))
    lease.take()
    proxy.rule = lambda method, path: "503"
    while proxy.times("503") < 3:
        pass
    proxy.rule = lambda method, path: "cut after"  # done, and the answer lost
    while proxy.times("cut after") < 3:
        pass
    proxy.rule = lambda method, path: "pass"
    lease.require()
    lease.release()
    assert not lease.lost
    Lease(Objects(place)).take()
