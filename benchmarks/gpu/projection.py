"""The projection of Gaussians on a device: against the CPU's, and how fast."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.fuzz_projection import KINDS, draw, textbook_ratio
from benchmarks.gpu.findings import require, say, seconds
from sport_ray.families.gaussian import device as on_device
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.families.gaussian.device.projection import project_rows
from sport_ray.families.gaussian.projection import kl_divergence


def check_projection(place: torch.device, count: int) -> None:
    """Every kind of problem, both dtypes: the bound, the identity, and the divergence."""
    rng = np.random.default_rng(0)
    outside = moved = rows = equal = 0
    worst = {"float32": [0.0, 0.0], "float64": [0.0, 0.0]}
    above = below = 0
    for kind in KINDS:
        for dims in (2, 5):
            for single in (True, False):
                problem = draw(kind, count, dims, rng)
                if single:
                    narrow = [x.astype(np.float32).astype(np.float64) for x in problem[:4]]
                    problem = narrow + problem[4:]
                m, s, mt, st, limit = problem
                dtype = torch.float32 if single else torch.float64
                given = [torch.from_numpy(x).to(place, dtype) for x in problem[:4]]
                found = on_device.project(given, torch.from_numpy(limit).to(place), single, False)
                mean, std = (x.double().cpu().numpy() for x in found[:2])
                task = (mean == mt).all(-1) & (std == st).all(-1)
                ratio = max_log_ratio_arrays(mean, std, m, s)
                outside += int((~(ratio <= limit)).sum()) + int((std > s).sum())
                if kind != "extreme":
                    plain = textbook_ratio(mean, std, m, s)
                    outside += int((~(plain <= limit) & ~task).sum())
                inside = max_log_ratio_arrays(mt, st, m, s) <= limit * (1.0 - 1e-12)
                moved += int((inside & ~task).sum())
                best = project_kl_arrays(*problem, out_float32=single)[:2]
                rows += count
                equal += int(((mean == best[0]) & (std == best[1])).all(-1).sum())
                kl = [
                    kl_divergence(*(torch.from_numpy(x) for x in (*law, mt, st))).numpy()
                    for law in ((mean, std), best)
                ]
                gap = (kl[0] - kl[1]) / (kl[1] + 1e-12)
                ends = worst["float32" if single else "float64"]
                ends[0], ends[1] = min(ends[0], float(gap.min())), max(ends[1], float(gap.max()))
                if single:
                    above += int((gap > 1e-9).sum())
                    below += int((gap < -1e-9).sum())
    say("projection, rows checked (7 kinds, D = 2, 5)", f"{rows:,}")
    say("  outside the bound, or wider than the base", f"{outside}")
    say("  within the limit, but not bit for bit", f"{moved}")
    say("  bit for bit the CPU's", f"{equal / rows:.6f}")
    for name, (low, high) in worst.items():
        say(f"  relative difference of the KL to the CPU's, {name}", f"{low:.1e} to {high:.1e}")
    # Of float32's coarse numbers a last bit of a logarithm may choose others, better or worse.
    say("  float32 rows further from the task, nearer (by 1e-9)", f"{above}, {below}")
    require(outside == 0, "a projection is outside its bound")
    require(moved == 0, "a feasible member was changed")
    require(worst["float64"][1] < 1e-9, "a projection is not the closest")
    require(above < 1e-4 * rows, "float32 projections are not the closest")


def time_projection(place: torch.device, rows: int) -> None:
    """Rows a second, and none of all of them outside the bound."""
    for dtype in (torch.float32, torch.float64):
        generator = torch.Generator(device=place).manual_seed(0)

        def normal(generator: torch.Generator = generator) -> torch.Tensor:
            return torch.randn(rows, 2, generator=generator, device=place, dtype=torch.float64)

        m, s = normal(), torch.exp(0.5 * normal())
        given = [x.to(dtype) for x in (m, s, m + s * normal(), s * torch.exp(0.5 * normal()))]
        limits = 10.0 ** torch.empty(rows, device=place, dtype=torch.float64).uniform_(
            -2.0, 0.7, generator=generator
        )
        found = project_rows(*given, limits)
        ratio = on_device.max_log_ratio((found.mean, found.std, *given[:2]))
        outside = int((~(ratio <= limits)).sum())
        differs = float((found.std != given[3]).any(-1).double().mean())
        require(outside == 0, "a projection is outside its bound")
        took = seconds(partial(project_rows, *given, limits), place)
        name = str(dtype).removeprefix("torch.")
        say(
            f"projection, {rows:,} rows, D = 2, {name}",
            f"{took * 1e3:.1f} ms, {rows / took:.3g} rows/s; {differs:.0%} moved, "
            f"{outside} outside",
        )
