"""What a scenario is made from on a device, against the CPU's: random streams, the policy."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.gpu.findings import require, say, seconds
from sport_ray.policies import FrozenPolicy
from sport_ray.policies.on_device import DevicePolicy
from sport_ray.rollouts.seeding import purpose_number
from sport_ray.streams import kernels as host
from sport_ray.streams.device.table import draw_normal, seed_states


def check_streams(place: torch.device, count: int) -> None:
    """Seeds to the bit; normal numbers but for the tail's last bits."""
    indices = torch.arange(count, device=place)
    states = seed_states(2**70 + 5, purpose_number("certify"), indices, 1)
    wanted_states = host.seeded(2**70 + 5, purpose_number("certify"), np.arange(count))[1]
    same = np.array_equal(states.cpu().numpy().view(np.uint64), wanted_states)
    out = torch.empty((count, 26), dtype=torch.float64, device=place)
    found = draw_normal(states, indices, out).cpu().numpy()
    wanted = np.empty_like(found)
    host.fill_normal(wanted_states, np.arange(count), wanted)
    other = found != wanted
    tail = np.abs(wanted) > 3.654
    far = float(np.abs(found / wanted - 1.0).max())
    say("streams: seeds as numpy's", "all" if same else "NOT ALL")
    say(
        f"  of {found.size:,} normal numbers, other last bits",
        f"{int(other.sum())} ({int(tail.sum())} in tails), at most {far:.1e}",
    )
    require(same and not (other & ~tail).any() and far < 1e-15, "streams differ from numpy's")
    took = seconds(lambda: draw_normal(states, indices, out), place)
    say(f"  drawing {found.size:,}", f"{took * 1e3:.2f} ms")


def check_policy(place: torch.device, base: FrozenPolicy, count: int) -> None:
    """How often a number of the frozen policy is rounded otherwise."""
    policy = DevicePolicy(base, place)
    generator = torch.Generator().manual_seed(1)
    seen = torch.randn(count, 44, generator=generator, dtype=torch.float64)
    found = policy.distribution(seen.to(place)).to("cpu")
    expected = base.distribution(seen.numpy())
    other = int((found.parameters != expected.parameters).sum())
    agree = bool(found.agrees(expected, expected).all())
    rows = torch.randperm(count, generator=generator)[: count // 3]
    again = policy.distribution(seen[rows].to(place)).to("cpu")
    same = torch.equal(again.parameters, found.parameters[rows])
    say(f"policy: of {found.parameters.numel():,} numbers, rounded otherwise", f"{other}")
    say("  a row in another batch and place", "the same bits" if same else "OTHER BITS")
    require(agree, "the policy's numbers do not agree")
    require(same, "a row depends on its batch")
