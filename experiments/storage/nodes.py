"""A worker's copy on a node that does not see the driver's: what its cells need, and what it sends.

Nodes then need no folder in common. Workers of a node share one copy; each pushes what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath

from sport_ray.experiments.storage.driver import patiently
from sport_ray.experiments.storage.index import Index
from sport_ray.experiments.storage.layout import LEDGER, whole
from sport_ray.experiments.storage.lease import Watch
from sport_ray.experiments.storage.objects import Objects
from sport_ray.experiments.storage.origin import FOLDER, claim_home
from sport_ray.experiments.storage.place import Place
from sport_ray.experiments.storage.pull import fetch, pull
from sport_ray.experiments.storage.push import Pusher

_MADE_HERE = ("cells", "policies", "task_policies")


def for_training(name: str) -> bool:
    """What a cell is made of: base, certificate with its tables, study, choice."""
    parts = PurePosixPath(name).parts
    return whole(name) and not {*_MADE_HERE, LEDGER} & {*parts}


def made_here(name: str) -> bool:
    """What a worker makes, and sends."""
    return PurePosixPath(name).parts[0] in _MADE_HERE


class NodeCopy:
    """The copy of the node that this process runs on, brought up to date.

    Raises:
        UserError: what the store says.
    """

    def __init__(self, told: str, node: str) -> None:
        about = json.loads(told)
        place, lease = Place.of(about["uri"]), Place.of(about["lease"])
        assert place is not None
        assert lease is not None
        self.told = told
        home = place.cache / f"node-{node[:12]}"
        self.root = home / FOLDER
        claim_home(home, place)
        self._index = Index(None)  # of this process alone: others work beside it
        self._objects = Objects(place)
        pull(self._objects, self.root, self._index, for_training)
        watch = Watch(Objects(lease), about["token"])
        self._pusher = Pusher(self._objects, self.root, self._index, watch, made_here)

    @staticmethod
    def needed(told: str, node: str) -> bool:
        """Whether a worker on this node has to have one: it is not the driver's."""
        return bool(json.loads(told)["node"] != node)

    def fetch_records(self, cells: Iterable[str]) -> None:
        """Fetch what earlier workers finished of a job's cells, which is not done again.

        Raises:
            UserError: what the store says.
        """
        for cell in cells:
            fetch(self._objects, f"cells/{cell}/record.json", self.root, self._index, own=True)

    def send(self) -> None:
        """Push what is finished; a store that is away is waited for, two minutes at most.

        Raises:
            UserError: what the store says; another driver's turn.
        """
        patiently(lambda: self._pusher.round(last=True))
