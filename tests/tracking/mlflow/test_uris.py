"""URIs without what opens doors, in whatever spelling it comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.tracking.mlflow.client import describe
from sport_ray.tracking.mlflow.uris import (
    absolute_uri,
    mask_text,
    mask_uri,
    secrets_of,
    without_credentials,
)

SPELT = [
    ("//me:secret@host/m", "//host/m"),
    ("http:///me:secret@host/m", "http://host/m"),
    ("http:/me:secret@host/m", "http://host/m"),
    ("http://u:secret@host:5000/a", "http://host:5000/a"),
    ("http://u:se@cret@host:5000", "http://host:5000"),
    ("http://secret@host/a", "http://host/a"),
    ("http://u:sec/secret@host", "http://host"),
    ("postgresql+psycopg2://u:secret@h/db?password=secret", "postgresql+psycopg2://h/db"),
    ("http://host/#secret", "http://host/"),
    ("sqlite:////abs/a@b/m.db", "sqlite:////abs/a@b/m.db"),
    ("/a/folder", "/a/folder"),
    ("u:secret@host:5000", "host:5000"),
    ("http://host:5000;secret", "http://host:5000"),
    ("HTTP://u:s%65cret@host", "HTTP://host"),
    ("http://u:sec#secret@host", "http://host"),
    ("http://u:a secret'@host", "http://host"),
    ("http://u:secret@host:port", "http://host:port"),
    ("postgresql:///db?user=u&password=secret", "postgresql:///db"),
    ("sqlite+pysqlcipher://:secret@/a.db", "sqlite+pysqlcipher:///a.db"),
    ("sqlite:////abs/x#y;z/m.db", "sqlite:////abs/x#y;z/m.db"),
    ("file:a@b/mlruns", "file:a@b/mlruns"),
]


@pytest.mark.parametrize(("uri", "public"), SPELT)
def test_what_is_written_down(uri: str, public: str) -> None:
    assert without_credentials(uri) == public
    assert without_credentials(public) == public
    assert "secret" not in without_credentials(uri)


@pytest.mark.parametrize("uri", [uri for uri, _ in SPELT if "cret" in uri])
def test_what_is_said(uri: str) -> None:
    assert "cret" not in mask_uri(uri)
    assert "cret" not in describe(RuntimeError(f"no answer from {uri} to you"), uri)
    for secret in (one for one in secrets_of(uri) if len(one) > 1):
        assert secret not in describe(RuntimeError(f"refused: {secret}"), uri)
    assert "cret" not in mask_text(f"tracking = {uri!r}: not a mapping")


@pytest.mark.parametrize(
    ("uri", "text"),
    [  # what libraries make of a URI whose password has a sign with a meaning in it
        ("postgresql://me:se@cret@h/db", 'could not translate host name "cret@h"'),
        ("http://me:pa/ss-word@h", "Failed to parse: port 'pa', path '/ss-word@h'"),
        ("http://me:pa%2Fssword@h", "refused me pa/ssword"),
        ("http://me:pa+ssword@h", "refused me 'pa ssword' pa%2Bssword"),
        ("http://h/?api_token=Abcdef99", "GET /?API_TOKEN=abcdef99"),
        ("http://glpat-9xYz@h", "401 for url: http://GLPAT-9xyz@h/api"),
    ],
)
def test_no_piece_of_a_secret_is_told(uri: str, text: str) -> None:
    said = describe(RuntimeError(text), uri).lower()
    for piece in ("cret", "ssword", "ss-word", "abcdef99", "glpat", "9xyz"):
        assert piece not in said


@pytest.mark.parametrize(
    ("uri", "absolute"),
    [
        ("sqlite:///mlflow.db", "sqlite:////studies/mlflow.db"),
        ("sqlite:///../m.db?timeout=5", "sqlite:////m.db?timeout=5"),
        ("sqlite+pysqlite:///a/m.db", "sqlite+pysqlite:////studies/a/m.db"),
        ("sqlite:////abs/m.db", "sqlite:////abs/m.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("file:mlruns", "file:///studies/mlruns"),
        ("file:./a b", "file:///studies/a%20b"),
        ("file:///abs/mlruns", "file:///abs/mlruns"),
        ("./mlruns", "file:///studies/mlruns"),
        ("http://h:5000", "http://h:5000"),
        ("databricks", "databricks"),
    ],
)
def test_relative_paths_start_from_the_study(uri: str, absolute: str) -> None:
    assert absolute_uri(uri, Path("/studies")) == absolute
    assert absolute_uri(absolute, Path("/elsewhere")) == absolute


def test_a_password_is_hidden_as_written_and_as_meant() -> None:
    uri = "http://u:se%40cret@host"
    assert {"u:se%40cret", "se%40cret", "se@cret"} <= set(secrets_of(uri))
    assert "cret" not in describe(RuntimeError("refused: u, se@cret"), uri)


PASSWORD = st.text(st.characters(codec="ascii", exclude_characters="\\"), min_size=6)


@given(PASSWORD)
def test_no_password_survives(password: str) -> None:
    uri = f"http://user:{password}@tracking.example:5000/m"
    for shown in (mask_uri(uri), without_credentials(uri)):
        assert password not in shown or password in "http://***@tracking.example:5000/m"
