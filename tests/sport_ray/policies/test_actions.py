"""The action mapping: its values, that it fits, and that it cannot raise a density ratio."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from sport_ray.errors import UserError
from sport_ray.policies import ActionMapping

LOW, HIGH = (-2.0, 0.25), (2.0, 1.75)
MAPPINGS = {
    "tanh": ActionMapping(),
    "none": ActionMapping("none"),
    "rescaled": ActionMapping("tanh", LOW, HIGH),
    "clip": ActionMapping("clip", LOW, HIGH),
    "unit_clip": ActionMapping("unit_clip", LOW, HIGH),
}


def test_the_plain_mappings_are_what_they_were_to_the_bit():
    drawn = np.random.default_rng(0).normal(scale=3.0, size=(100, 2))
    np.testing.assert_array_equal(MAPPINGS["tanh"](drawn), np.tanh(drawn))
    np.testing.assert_array_equal(MAPPINGS["none"](drawn), drawn)


def test_values_at_known_points():
    points = np.array([[-50.0, -50.0], [-1.0, -1.0], [0.0, 0.0], [0.5, 0.5], [50.0, 50.0]])
    unit = [[-2.0, 0.25], [-2.0, 0.25], [0.0, 1.0], [1.0, 1.375], [2.0, 1.75]]
    np.testing.assert_array_equal(MAPPINGS["unit_clip"](points), unit)
    clipped = [[-2.0, 0.25], [-1.0, 0.25], [0.0, 0.25], [0.5, 0.5], [2.0, 1.75]]
    np.testing.assert_array_equal(MAPPINGS["clip"](points), clipped)
    squashed = MAPPINGS["rescaled"](points)
    np.testing.assert_array_equal(squashed[[0, 2, 4]], [[-2.0, 0.25], [0.0, 1.0], [2.0, 1.75]])
    np.testing.assert_allclose(squashed[3], [2 * np.tanh(0.5), 1 + 0.75 * np.tanh(0.5)])


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS.keys())
def test_monotone_json_and_nan(mapping):
    line = np.linspace(-30.0, 30.0, 4001)[:, None].repeat(2, axis=1)
    assert (np.diff(mapping(line), axis=0) >= 0.0).all()
    assert ActionMapping.from_json(mapping.to_json()) == mapping
    assert np.isnan(mapping([[np.nan, np.nan]])).all()
    if mapping.action_low is not None:
        assert (mapping(line) >= LOW).all()
        assert (mapping(line) <= HIGH).all()


@settings(max_examples=50, deadline=None)
@given(
    shift=st.floats(-0.5, 0.5), narrower=st.floats(0.5, 1.0), centre=st.floats(-2.0, 2.0),
    name=st.sampled_from(["clip", "unit_clip", "rescaled", "tanh"]),
)  # fmt: skip
def test_what_the_environment_sees_has_no_larger_ratio(shift, narrower, centre, name):
    """P(g(a) ≤ x) of cells between points, and of the atoms at the bounds, against the density."""
    mapping = MAPPINGS[name]
    mean, std, base_mean, base_std = centre + shift, narrower, centre, 1.0
    line = np.linspace(centre - 12.0, centre + 12.0, 24_001)
    density = norm.logpdf(line, mean, std) - norm.logpdf(line, base_mean, base_std)
    seen = mapping(np.stack([line, line], axis=1))[:, 0]
    cell = np.digitize(seen, np.linspace(seen.min(), seen.max(), 41)[1:-1], right=True)

    def masses(m: float, s: float) -> np.ndarray:
        below = np.diff(norm.cdf(line, m, s), prepend=0.0)
        return np.bincount(cell, weights=below, minlength=40)

    mine, its = masses(mean, std), masses(base_mean, base_std)
    used = its > 1e-9
    slack = 1e-3  # of the grid
    assert (mine[used] / its[used]).max() <= np.exp(density.max()) * (1.0 + slack)


@pytest.mark.parametrize("name", ["clip", "unit_clip", "rescaled"])
def test_an_environment_with_other_bounds_is_refused(name):
    mapping = MAPPINGS[name]
    mapping.require_fits("X-v0", spaces.Box(np.float32(LOW), np.float32(HIGH)))
    for low, high in (((-1.0, 0.25), HIGH), (LOW, (2.0, 1.8)), ((-2.0,), (2.0,))):
        with pytest.raises(UserError, match="environment 'X-v0' takes actions with"):
            mapping.require_fits("X-v0", spaces.Box(np.float32(low), np.float32(high)))
    with pytest.raises(UserError, match="RescaleAction"):
        MAPPINGS["tanh"].require_fits("X-v0", spaces.Box(np.float32(LOW), np.float32(HIGH)))
