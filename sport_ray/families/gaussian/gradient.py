"""First derivatives of the projection by the implicit function theorem, row by row.

In base units (see kernels.py) each dimension solves Phi(B, lam, d, t) = 0 with

    Phi = (1 + lam) / (1 - B) - 1/t^2 - lam d^2 / q^2,   q = B + lam t^2,   delta = d B / q,

and lam solves g(lam, d, t) = log_alpha. Since dg/dB = Phi_lam / 2, with x standing for d or t:

    dB   = -(Phi_lam dlam + Phi_x dx) / Phi_B
    dlam = -(g_x - Phi_lam Phi_x / (2 Phi_B)) dx / sum_i (g_lam - Phi_lam^2 / (2 Phi_B)).

At the kinks the derivative is one-sided: the identity on the surface of the feasible set, and
the inactive branch (std = base std does not move) where a dimension just leaves the base. Rows
with lam = 0 carry the mean's derivative in ``w`` (kernels._free_share); lam < 0 is the base, which
does not move.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np

from sport_ray.compiled import njit


@njit(nogil=True, error_model="numpy")
def pull_back(mean_base, std_base, mean_task, std_task, lam_all, w_all,
              grad_mean, grad_std, out_mean, out_std):  # fmt: skip
    """Vector-Jacobian product of rows solved by project_rows; all arrays (N, D), lam (N,).

    ``grad_mean``, ``grad_std``: gradient with respect to the projection; ``out_mean``,
    ``out_std``: the gradient with respect to mean_task, std_task that belongs to it.
    """
    rows, dims = mean_base.shape
    by_b = np.empty(dims)
    by_lam = np.empty(dims)
    for k in range(rows):
        lam = lam_all[k]
        up_lam = 0.0
        g_lam = 0.0
        for i in range(dims):
            m, s = np.float64(mean_base[k, i]), np.float64(std_base[k, i])
            mt, st = np.float64(mean_task[k, i]), np.float64(std_task[k, i])
            w = w_all[k, i]
            out_mean[k, i] = 0.0
            out_std[k, i] = 0.0
            if lam == 0.0:  # inside: the task itself, but for dimensions wider than the base
                out_mean[k, i] = grad_mean[k, i] * w
                out_std[k, i] = grad_std[k, i] if st <= s else 0.0
            elif lam > 0.0 and w > 0.0:
                d, t = (mt - m) / s, st / s
                b = w / (1.0 + w)
                lt2 = lam * t * t
                q = b + lt2
                e = d / q
                by_lam[i] = (1.0 + w) - e * e * ((b - lt2) / q)
                by_b[i] = (1.0 + lam) * (1.0 + w) * (1.0 + w) + 2.0 * lam * (e * e / q)
                up = _upstream(s, w, e, lt2 / q, grad_mean[k, i], grad_std[k, i])
                up_lam -= s * grad_mean[k, i] * e * (b / q) * t * t
                up_lam -= up * (by_lam[i] / by_b[i])
                g_lam -= e * e * (b / q) * t * t + 0.5 * by_lam[i] * (by_lam[i] / by_b[i])
        if not lam > 0.0:
            continue
        for i in range(dims):
            w = w_all[k, i]
            if not w > 0.0:
                continue
            m, s = np.float64(mean_base[k, i]), np.float64(std_base[k, i])
            d = (np.float64(mean_task[k, i]) - m) / s
            t = np.float64(std_task[k, i]) / s
            b = w / (1.0 + w)
            lt2 = lam * t * t
            q = b + lt2
            e = d / q
            up = _upstream(s, w, e, lt2 / q, grad_mean[k, i], grad_std[k, i])
            half = 0.5 * by_lam[i] / by_b[i]
            # d: Phi_d = -2 lam d / q^2, delta_d = B / q, g_d = d B / q^2
            phi = -2.0 * lam * (e / q)
            lam_x = -(e * (b / q) - half * phi) / g_lam
            out_mean[k, i] = (
                s * grad_mean[k, i] * (b / q) - up * (phi / by_b[i]) + up_lam * lam_x
            ) / s
            # t: Phi_t = 2 / t^3 + 4 lam^2 d^2 t / q^3, delta_t = -2 lam t d B / q^2
            phi = 2.0 / (t * t * t) + 4.0 * lam * e * e * (lt2 / q) / t
            lam_x = -(-2.0 * e * e * (b / q) * lam * t - half * phi) / g_lam
            explicit = -2.0 * s * grad_mean[k, i] * e * (b / q) * lam * t
            out_std[k, i] = (explicit - up * (phi / by_b[i]) + up_lam * lam_x) / s


@njit(nogil=True, error_model="numpy")
def _upstream(s, w, e, lt2_over_q, grad_mean, grad_std):
    """Gradient with respect to B: delta_B = d lam t^2 / q^2, std = s sqrt(1 - B)."""
    return s * grad_mean * e * lt2_over_q - 0.5 * s * grad_std * np.sqrt(1.0 + w)
