"""URIs without what opens doors, in whatever spelling it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.mlflow_store import describe
from tracking.uris import mask_text, mask_uri, secrets_of, without_credentials

SPELT = [
    ("http://u:secret@host:5000/a", "http://host:5000/a"),
    ("http://u:se@cret@host:5000", "http://host:5000"),
    ("http://secret@host/a", "http://host/a"),
    ("http://u:sec/secret@host", "http://host"),
    ("postgresql+psycopg2://u:secret@h/db?password=secret", "postgresql+psycopg2://h/db"),
    ("http://host/#secret", "http://host/"),
    ("sqlite:////abs/a@b/m.db", "sqlite:////abs/a@b/m.db"),
    ("/a/folder", "/a/folder"),
]


@pytest.mark.parametrize(("uri", "public"), SPELT)
def test_what_is_written_down(uri: str, public: str) -> None:
    assert without_credentials(uri) == public
    assert without_credentials(public) == public
    assert "secret" not in without_credentials(uri)


@pytest.mark.parametrize("uri", [uri for uri, _ in SPELT if "secret" in uri and "#" not in uri])
def test_what_is_said(uri: str) -> None:
    assert "secret" not in mask_uri(uri)
    said = describe(RuntimeError(f"no answer from {uri} to u:secret (secret)"), uri)
    if "u:secret@" in uri or "//secret@" in uri:
        assert "secret" not in said
    assert "secret" not in mask_text(f"'{uri}'") or "?" in uri


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
