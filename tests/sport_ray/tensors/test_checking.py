"""Every way to break the protocol is told in one line, and a right environment passes."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.tensors import PointRobot, require_tensor_environment
from tests.sport_ray.tensors.line import Line

BREACHES = {
    "num_slots": "num_slots is 5: expected the 4 that it was made with",
    "signal_names": "signal_names is a tuple of 2: expected .* each once",
    "cost_signal": "cost_signal is 'fire': expected one of hazard, goal",
    "device": "device is meta: expected cpu",
    "observation_size": "observation_size is 0",
    "observation shape": r"observation has shape \(4, 1\): expected \(4, 2\)",
    "observation dtype": "observation has dtype float16: expected float32 or float64",
    "NaN signal": "slot 1, step 2: signal 'hazard' is NaN",
    "infinite observation": "slot 2, step 2: the observation is inf at entry 1",
    "array signals": "signals is an array of shape .*: expected a tensor",
    "buffer": r"observation was handed out and then written to .*: return observation\.clone",
    "global generator": r"the same seeds gave other episodes in a second .*reset: observation",
    "remembers": "the same seeds gave other episodes after earlier ones: reset must forget all",
    "by slot": "an episode changed with the slot that it is in",
    "by size": "an episode changed with the number of slots",
    "resets all": "a reset of one slot changed the episode in another",
    "writes mask": "reset.. wrote into its mask",
    "raises": "tensor environment: RuntimeError: no such world",
    "reset without signals": r"reset\(\) returned .*: expected the pair \(observation, signals\)",
    "writes actions": r"step\(\) wrote into the actions",
    "mixes": "a slot's episode changed with the seeds and actions of others",
    "NaN reward": "slot 0, step 1: the reward is nan",
    "integer ends": "terminated has dtype int64: expected bool",
    "endless": "slot 0 went on after 20 steps, its horizon",
    "reward shape": r"reward has shape \(4, 1\): expected \(4,\)",
    "four": r"step\(\) returned a tuple of 4: expected a TensorStep",
}


@pytest.mark.parametrize("spoil", BREACHES)
def test_a_breach_is_one_line(spoil):
    with pytest.raises(UserError, match=BREACHES[spoil]) as caught:
        require_tensor_environment(Line, spoil=spoil)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["", "Booleans", "float32"])
def test_a_right_one_passes(spoil):
    require_tensor_environment(Line, spoil=spoil)


@pytest.mark.parametrize(
    "world",
    [{}, {"layout": "random", "actuation_noise": 0.1, "start_noise": 0.1}, {"reward": "guided"}],
    ids=str,
)
def test_the_robot_passes(world):
    require_tensor_environment(PointRobot, num_slots=5, horizon=30, **world)


def test_what_is_no_environment_at_all():
    with pytest.raises(UserError, match=r"made 3, which has no reset\(\)"):
        require_tensor_environment(lambda num_slots, device, horizon: 3)
    with pytest.raises(UserError, match="unexpected keyword argument 'colour'"):
        require_tensor_environment(Line, colour="red")
    with pytest.raises(ValueError, match="num_slots ≥ 3"):
        require_tensor_environment(Line, num_slots=2)
