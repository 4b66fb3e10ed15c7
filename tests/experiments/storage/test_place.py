from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.storage.place import Place


def test_uris_and_paths_that_were_made_of_them() -> None:
    for text in ("s3://b-1/x/y", "s3://b-1/x/y/", Path("s3://b-1/x/y")):
        assert Place.of(text) == Place("s3", "b-1", "x/y")
    assert str(Place.of("az://box/a")) == "az://box/a"
    assert Place.of("gs://b-1/a") is not None


@pytest.mark.parametrize(
    "path", ["results/x", "/s3/x", "s3", "C:/x", "./s3:/b/x", "./file:/x", "a:b", ""]
)
def test_paths(path: str) -> None:
    assert Place.of(path) is None


@pytest.mark.parametrize(
    "uri", ["s3://b-1", "s3://b-1/", "s3:///x", "s3://b-1/../x", "s3://b-1/a b", "s3://b/x//y"]
)
def test_no_place_for_results(uri: str) -> None:
    with pytest.raises(UserError, match=r"names no place for results: write s3://BUCKET/PREFIX"):
        Place.of(uri)


def test_of_a_bucket_s_name_that_is_too_short_the_length_is_told() -> None:
    with pytest.raises(UserError, match="write s3://BUCKET/PREFIX; a bucket's name has several"):
        Place.of("s3://b/x")


@pytest.mark.parametrize(
    ("uri", "instead"),
    [
        ("gcs://b-1/x/y", "write gs://b-1/x/y"),
        ("S3://b-1/x", "write s3://b-1/x"),
        (" s3://b-1/x", "write s3://b-1/x"),
        ("s3a://b-1/x", "write s3://b-1/x"),
        ("abfs://box@account.dfs.core.windows.net/x", "write az://BUCKET/PREFIX"),
        ("file:///data/x", "write the path, /data/x"),
        ("gcs://b-1/x?key=secret", "write gs://BUCKET/PREFIX"),
        ("gcs://me:secret@b-1/x", "write gs://BUCKET/PREFIX"),
        ("https://host/x", "give a path, or s3://BUCKET/PREFIX"),
        (Path("gcs://b-1/x"), "write gs://b-1/x"),
    ],
)
def test_uris_of_other_tools_are_no_folders(uri: str | Path, instead: str) -> None:
    with pytest.raises(UserError, match=f"no URI that results can be at; {instead}") as refusal:
        Place.of(uri)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "uri", ["s3://me:secret@b-1/x", "s3://b-1/x?key=secret", "az://b-1/x#secret"]
)
def test_credentials_do_not_belong_into_a_uri(uri: str) -> None:
    with pytest.raises(UserError, match="no credentials and no query") as refusal:
        Place.of(uri)
    assert "secret" not in str(refusal.value)


def test_copies_of_two_servers_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("s3", "b-1", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://one")
    one = place.cache
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://two")
    assert one != place.cache
    assert one.name.startswith("x-")
