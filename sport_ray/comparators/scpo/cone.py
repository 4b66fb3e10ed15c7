"""The projection as a second-order cone program, solved by Clarabel."""

from __future__ import annotations

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]


def project_by_cone_program(
    target: Array,
    offset: Array,
    gradient: Array,
    linear: Array,
    quadratic: Array,
    radius: float,
) -> Array | None:
    """The step Δ nearest to the target with ‖Δ‖ ≤ radius and every constraint kept.

    That is, for i = 1 … m,

        offset_i + gradient_i·Δ + linear_i‖Δ‖ + quadratic_i‖Δ‖²/2 ≤ 0

    with linear, quadratic ≥ 0 (m,) and gradient (m, d). In units of the radius (z = Δ/radius) and
    with s ≥ ‖z‖ and q ≥ s² as variables, everything but the two cones is linear; since s and q
    only make the constraints harder, the relaxation is exact.

    Returns what the solver found, (d,), to be checked by the caller: it may lie outside by the
    solver's tolerance. None where there is no point, or no answer.
    """
    size = len(target)
    wanted = target / radius
    scale = max(1.0, float(np.linalg.norm(wanted)))  # a far target must not hide the constraints
    if not all(np.isfinite(one).all() for one in (target, offset, gradient, linear, quadratic)):
        return None
    rows = np.column_stack([radius * gradient, radius * linear, 0.5 * radius**2 * quadratic])
    norms = np.linalg.norm(np.column_stack([rows, offset]), axis=1)
    norms[norms == 0.0] = 1.0
    last = np.zeros((2, size + 2))
    last[0, size] = last[1, size + 1] = 1.0  # s ≤ 1, q ≤ 1
    cone_s = np.zeros((size + 1, size + 2))  # (s, z)
    cone_s[0, size] = -1.0
    cone_s[1:, :size] = -np.eye(size)
    cone_q = np.zeros((3, size + 2))  # (q + 1, 2s, q − 1)
    cone_q[0, size + 1] = cone_q[2, size + 1] = -1.0
    cone_q[1, size] = -2.0
    matrix = np.vstack([rows / norms[:, None], last, cone_s, cone_q])
    bounds = np.concatenate([-offset / norms, [1.0, 1.0], np.zeros(size + 1), [1.0, 0.0, -1.0]])
    cost = np.concatenate([-wanted / scale, [0.0, 0.0]])
    if not (np.isfinite(matrix).all() and np.isfinite(bounds).all() and np.isfinite(cost).all()):
        return None
    weights = np.zeros(size + 2)
    weights[:size] = 1.0 / scale
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    solution = clarabel.DefaultSolver(
        sparse.diags(weights, format="csc"),
        cost,
        sparse.csc_matrix(matrix),
        bounds,
        [
            clarabel.NonnegativeConeT(len(rows) + 2),
            clarabel.SecondOrderConeT(size + 1),
            clarabel.SecondOrderConeT(3),
        ],
        settings,
    ).solve()
    if "Infeasible" in str(solution.status):
        return None
    found = radius * np.asarray(solution.x[:size], dtype=np.float64)
    return found if np.isfinite(found).all() else None
