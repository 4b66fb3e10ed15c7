"""The robot's Triton kernels against the compiled loops of the CPU.

On a CUDA device as they are; elsewhere through Triton's interpreter, if Triton can be imported:
``TRITON_INTERPRET=1 python -m pytest tests/sport_ray/tensors/test_robot_kernel.py``.
"""

from __future__ import annotations

import pytest
import torch

from tests.sport_ray.tensors import robot_agreement as agreement

pytest.importorskip("triton", reason="Triton comes with torch for CUDA; it is not here")
if not (torch.cuda.is_available() or agreement.INTERPRETED):
    pytest.skip("no CUDA device, and TRITON_INTERPRET is not 1", allow_module_level=True)


@pytest.mark.parametrize("world", agreement.WORLDS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_episodes_agree_while_turning_is_saturated(world, dtype):
    agreement.check_episodes(world, dtype)


def test_one_step_from_equal_states_agrees_whatever_the_action():
    agreement.check_single_steps()


def test_what_is_not_finite_is_nan_until_the_next_reset():
    agreement.check_what_is_not_finite()


@pytest.mark.parametrize("slots", agreement.BATCHES)
def test_a_robot_has_the_same_bits_in_every_batch(slots):
    agreement.check_batches(slots)
