"""Starting and joining Ray: a token of its own, and a clear line where nothing answers."""

from __future__ import annotations

import socket

import pytest

from experiments.runtime import ray_session, require_answer
from sport_ray.errors import UserError


def test_a_dead_address_is_one_line_at_once():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        pytest.raises(UserError, match=f"127.0.0.1:{port}.*ray up cluster.yaml") as caught,
        ray_session(address=f"127.0.0.1:{port}"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_rays_own_names_are_not_probed():
    require_answer("auto")
