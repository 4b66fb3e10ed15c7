"""A property read state by state says what the whole trajectory's verdict says afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.errors import UserError
from sport_ray.properties import NEVER, parse_property
from sport_ray.properties.monitor import Monitor, Monitors
from sport_ray.properties.on_device import DeviceMonitors
from tests.sport_ray.properties.semantics import batches, formulas


@settings(max_examples=60)
@given(formula=formulas(max_bound=3), data=st.data())
def test_it_is_violated_from_the_step_on_at_which_no_continuation_satisfies_it(formula, data):
    signals, _ = data.draw(batches())
    prop = parse_property(str(formula))
    at = prop.evaluate(signals).violated_at
    given_names = sorted(signals)  # not the order of the formula
    table = np.stack([signals[name] for name in given_names], axis=-1)
    count, width, _ = table.shape
    many = Monitors(prop.formula, count + 3, given_names, "the test")
    device = DeviceMonitors(prop.formula, count, given_names, "the test", torch.device("cpu"))
    ones = [Monitor(prop.formula, given_names, "the test") for _ in range(count)]
    slots, everyone = np.arange(count) + 2, torch.ones(count, dtype=torch.bool)
    for round_ in range(2):  # a second trajectory begins anew
        many.begin(slots, table[:, 0])
        device.begin(everyone, torch.from_numpy(table[:, 0]))
        for one, row in zip(ones, table[:, 0], strict=True):
            one.begin(row.tolist())
        for step in range(1, width - round_):
            expected = (at != NEVER) & (at <= step)
            states = table[:, step]
            assert np.array_equal(many.read(slots, states), expected)
            assert np.array_equal(device.read(torch.from_numpy(states)).numpy(), expected)
            for one, row, wanted in zip(ones, states, expected, strict=True):
                assert one.read(row.tolist()) == wanted


def test_slots_that_begin_anew_leave_the_others_alone():
    hazard, goal = np.array([-1.0, 1.0]), np.array([-1.0, -1.0])
    table = np.stack([hazard, goal], axis=1)
    many = Monitors("(!hazard) U goal", 2, ["hazard", "goal"], "the test")
    device = DeviceMonitors(
        "(!hazard) U goal", 2, ["hazard", "goal"], "the test", torch.device("cpu")
    )
    both = np.arange(2)
    many.begin(both, table)
    device.begin(torch.tensor([True, True]), torch.from_numpy(table))
    many.begin(both[:1], table[:1])
    device.begin(torch.tensor([True, False]), torch.from_numpy(table))
    safe = np.full((2, 2), -1.0)
    assert many.read(both, safe).tolist() == [False, True]
    assert device.read(torch.from_numpy(safe)).tolist() == [False, True]


def test_flags_of_a_device_hold_or_do_not():
    device = DeviceMonitors("G !hazard", 2, ["hazard"], "the test", torch.device("cpu"))
    everyone = torch.tensor([True, True])
    device.begin(everyone, torch.tensor([[False], [False]]))
    assert device.read(torch.tensor([[False], [True]])).tolist() == [False, True]


@pytest.mark.parametrize(("given_names", "told"), [(["goal"], "provides goal"), ([], "none")])
def test_a_signal_that_is_not_there_is_told(given_names, told):
    with pytest.raises(UserError, match=f"needs the signal 'hazard'; the robot .*{told}"):
        Monitors("G !hazard", 2, given_names, "the robot")
