"""Starting and joining Ray: a token of its own, and a clear line where nothing answers."""

from __future__ import annotations

import os
import socket

import pytest

from experiments.runtime import ray_session, require_answer, require_token
from sport_ray.errors import UserError


def test_a_local_ray_gets_a_secret_token(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    require_token()
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_the_users_mode_is_left_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", {"RAY_AUTH_MODE": "disabled"})
    require_token()
    assert os.environ == {"RAY_AUTH_MODE": "disabled"}


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
