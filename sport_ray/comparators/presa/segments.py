"""Offline data: segments of one length, pairs of them with a preference, a safety label each.

On disk: one npz file of four arrays, without pickle, that any tool can write.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.adapters.normalization import read_npz_file
from sport_ray.canonical import write_atomic
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicySpec

ARRAYS = ("observations", "actions", "pairs", "unsafe")


@dataclass(frozen=True, eq=False)
class Segments:
    """N segments of L steps, M preferences between two of them, N safety labels.

    observations: (N, L, O) float32. actions: (N, L, D) float32, *before* the policy's action
    mapping (what the Gaussian gave). pairs: (M, 2) int64, the preferred segment first. unsafe:
    (N,) bool.

    Made by ``make_segments``, which checks everything; a frozen value after that.
    """

    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    pairs: NDArray[np.int64]
    unsafe: NDArray[np.bool_]

    @property
    def num_segments(self) -> int:
        """N."""
        return len(self.observations)

    @property
    def length(self) -> int:
        """L, steps."""
        return int(self.observations.shape[1])

    @property
    def unsafe_share(self) -> float:
        """Share of the segments that are labelled unsafe."""
        return float(self.unsafe.mean())

    def require_both_labels(self) -> None:
        """Refuse data in which all segments have the same label: nothing tells safe from unsafe.

        Raises:
            UserError: naming the label that all have.
        """
        if self.unsafe.all() or not self.unsafe.any():
            word = "unsafe" if self.unsafe.all() else "safe"
            raise UserError(
                f"all {self.num_segments} segments are labelled {word}: the safety constraint "
                "needs both labels; add segments of the other kind, or choose the objective "
                "preference_only"
            )

    def require_fits(self, spec: PolicySpec) -> None:
        """Refuse data of other sizes than a policy's.

        Raises:
            UserError: naming both sizes.
        """
        sizes = (self.observations.shape[2], self.actions.shape[2])
        if sizes != (spec.observation_size, spec.action_size):
            raise UserError(
                f"segments have {sizes[0]} observations and {sizes[1]} actions, the base policy "
                f"{spec.observation_size} and {spec.action_size}: give data of the base's "
                "environment"
            )


def make_segments(
    observations: Sequence[ArrayLike] | NDArray[Any],
    actions: Sequence[ArrayLike] | NDArray[Any],
    pairs: ArrayLike,
    unsafe: ArrayLike | None,
) -> Segments:
    """Checked data from arrays or from lists of arrays, one (L, ·) per segment.

    unsafe: 1 for unsafe and 0 for safe, one per segment.

    Raises:
        UserError: nothing there, segments of unequal length, numbers that are not finite in
            float32, a pair that points nowhere or at one segment twice, a label that is missing.
    """
    seen = _steps("observations", observations)
    done = _steps("actions", actions)
    if seen.shape[:2] != done.shape[:2]:
        raise UserError(
            f"observations are of {seen.shape[0]} segments of {seen.shape[1]} steps, actions of "
            f"{done.shape[0]} of {done.shape[1]}: give one action for every observation, without "
            "the observation after the last action"
        )
    return Segments(seen, done, _pairs(pairs, len(seen)), _labels(unsafe, len(seen)))


def _steps(name: str, values: Sequence[ArrayLike] | NDArray[Any]) -> NDArray[np.float32]:
    """(N, L, ·) float32 of what may be a list of arrays of unequal length."""
    if not isinstance(values, np.ndarray):
        rows = [np.asarray(row) for row in values]
        for index, row in enumerate(rows):
            if row.shape[:1] != rows[0].shape[:1]:
                raise UserError(
                    f"{name}: segment {index} has {len(row)} steps, segment 0 has {len(rows[0])}: "
                    "cut all segments to one length"
                )
            if row.shape != rows[0].shape:
                raise UserError(
                    f"{name}: segment {index} has shape {row.shape}, segment 0 {rows[0].shape}"
                )
        values = np.stack(rows) if rows else np.empty((0, 0, 0))
    if values.dtype.kind not in "fiu":
        raise UserError(f"{name} has dtype {values.dtype}: expected numbers")
    if values.ndim != 3:
        raise UserError(
            f"{name} has shape {values.shape}: expected (segments, steps, entries), all segments "
            "of one length"
        )
    if 0 in values.shape:
        raise UserError(f"{name} is empty (shape {values.shape}): expected at least one segment")
    with np.errstate(over="ignore"):  # what overflows is inf and is refused
        rounded = values.astype(np.float32)
    finite = np.isfinite(rounded).all(axis=2)
    if not finite.all():
        segment, step = np.argwhere(~finite)[0]
        raise UserError(
            f"{name}: segment {segment} is not finite at step {step}; segments that end early "
            "cannot be padded: cut all segments to one length"
        )
    return rounded


def _pairs(values: ArrayLike, count: int) -> NDArray[np.int64]:
    pairs = np.asarray(values)
    if pairs.size == 0:
        raise UserError("pairs is empty: expected at least one preference between two segments")
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2:
        raise UserError(
            f"pairs is {pairs.dtype} of shape {pairs.shape}: expected whole numbers (pairs, 2), "
            "the preferred segment first"
        )
    wrong = np.argwhere((pairs < 0) | (pairs >= count))
    if len(wrong):
        row, column = wrong[0]
        raise UserError(
            f"pairs: pair {row} names segment {pairs[row, column]}, there are 0 … {count - 1}"
        )
    same = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if len(same):
        raise UserError(
            f"pairs: pair {same[0]} compares segment {pairs[same[0], 0]} with itself: remove it"
        )
    return pairs.astype(np.int64)


def _labels(values: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    meaning = "one label per segment, 1 for unsafe and 0 for safe"
    if values is None:
        raise UserError(f"unsafe is missing: expected {meaning}")
    labels = np.asarray(values)
    if labels.dtype.kind not in "biuf" or labels.shape != (count,):
        raise UserError(
            f"unsafe is {labels.dtype} of shape {labels.shape}: expected {meaning}, "
            f"of shape ({count},)"
        )
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if len(wrong):
        raise UserError(
            f"unsafe: segment {wrong[0]} has the label {labels[wrong[0]]}: expected {meaning}; "
            "remove segments without a label"
        )
    return labels.astype(np.bool_)


def save_segments(path: Path, segments: Segments) -> None:
    """Write ``observations``, ``actions``, ``pairs`` and ``unsafe`` as an npz file."""
    buffer = io.BytesIO()
    arrays = {name: getattr(segments, name) for name in ARRAYS}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_atomic(Path(path), buffer.getvalue())


def load_segments(path: Path) -> Segments:
    """Read and check such a file.

    Raises:
        UserError: nothing there, an array that is missing or unknown, or what ``make_segments``
            refuses, with the file's name.
    """
    arrays = read_npz_file(Path(path))
    for name in sorted(set(arrays) - set(ARRAYS)):
        raise UserError(f"{path}: unknown array {name!r}; expected {', '.join(ARRAYS)}")
    for name in ARRAYS:
        if name not in arrays:
            raise UserError(f"{path}: the array {name!r} is missing")
    try:
        return make_segments(*(arrays[name] for name in ARRAYS))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def segments_digest(segments: Segments) -> str:
    """sha256 (hex) of the numbers, however a file stores them."""
    hasher = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(getattr(segments, name))
        hasher.update(f"{name} {array.dtype.str} {array.shape}".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()
