"""Names of samplers: ``module:name`` and nothing else."""

from __future__ import annotations

import pytest

from sport_ray.samplers.entry import is_entry


@pytest.mark.parametrize("name", ["m:f", "a.b_c:Policy", "_m:_f", "größe:f"])
def test_names(name):
    assert is_entry(name)


@pytest.mark.parametrize(
    "name", ["m", "m:", ":f", "m:f:g", "m:f.g", "m f:g", "m:f()", "a/b:f", "1m:f", "m:f\n", "./m:f"]
)
def test_no_names(name):
    assert not is_entry(name)
