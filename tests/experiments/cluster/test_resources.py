"""Waiting for room: refused at once, in the end, or not at all; and nothing is left behind."""

from __future__ import annotations

import pytest
import ray

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.resources import wait_for_room


class Growing:
    """A cluster that has room from the n-th look on."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self) -> None:
        self.left -= 1
        if self.left > 0:
            raise UserError("a cell asks for 9 CPUs on one node")


def test_without_waiting_it_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"asks for 9 CPUs.*resources\.wait_for_nodes_seconds"):
        wait_for_room(Growing(2), [{"CPU": 9.0}], 0.0)


def test_where_there_is_room_nothing_is_asked_for() -> None:
    wait_for_room(Growing(1), [{"CPU": 1.0}], 0.0)  # without Ray


@pytest.mark.slow
def test_it_waits_and_takes_its_demand_back(local_ray: None) -> None:
    others = set(ray.util.placement_group_table())
    growing = Growing(3)
    wait_for_room(growing, [{"CPU": 9.0}], 30.0)
    assert growing.left == 0
    with pytest.raises(UserError, match=r"asks for 9 CPUs on one node \(waited 1.5 s for nodes\)"):
        wait_for_room(Growing(99), [{"CPU": 9.0}], 1.5)
    groups = ray.util.placement_group_table()
    ours = [group["state"] for name, group in groups.items() if name not in others]
    assert ours == ["REMOVED", "REMOVED"]
