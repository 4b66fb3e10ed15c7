"""The projection's own source without numba: interpreted for one state, with the same bits.

``sport_ray/families/gaussian/kernels.py`` and ``mean_shift.py`` are scalar code that numba compiles. Here
their text is executed as Python, where ``njit`` does nothing, so that what is deployed is not a
second version of what carries the promise. Python's floats are the same float64 numbers; the two
differ where C gives inf or NaN and Python an exception, and a row where that happens is computed
once more with C's rules (numpy's float64 scalars), several times slower.
"""

from __future__ import annotations

import builtins
import math
import struct
from collections.abc import Callable
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import numpy as np

Numbers = list[float]


class _Row(list):
    """A list that has a shape, as a one-dimensional array."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)


class _Matrix:
    """One row as a two-dimensional array; what is stored is rounded first."""

    __slots__ = ("row", "shape", "store")

    def __init__(self, row: _Row, store: Callable[[Any], Any] | None = None) -> None:
        self.row = row
        self.shape = (1, len(row))
        self.store = store

    def __getitem__(self, key: Any) -> Any:
        return self.row[key[1]] if type(key) is tuple else self.row

    def __setitem__(self, key: tuple[int, int], value: Any) -> None:
        self.row[key[1]] = value if self.store is None else self.store(value)


_FLOAT32 = struct.Struct("<f")


def _round_fast(x: float) -> float:
    """To the nearest float32; OverflowError beyond them."""
    return _FLOAT32.unpack(_FLOAT32.pack(x))[0]


def _round_as_c(x: Any) -> Any:
    return np.float64(np.float32(x))


def _next_float32(x: Any, goal: Any) -> float:
    return float(np.nextafter(np.float32(x), np.float32(goal)))


def _hypot(x: float, y: float) -> float:
    return float(np.hypot(x, y))  # the C library's; Python's own differs in the last bit


def _as_c(function: Callable[..., float], at_zero: float) -> Callable[..., Any]:
    """Inf or NaN where Python raises."""

    def inner(x: Any) -> Any:
        try:
            return np.float64(function(x))
        except OverflowError:
            return np.float64(math.inf)
        except ValueError:
            return np.float64(at_zero if x in (0.0, -1.0) else math.nan)

    return inner


_PYTHON = SimpleNamespace(
    log=math.log, log1p=math.log1p, exp=math.exp, sqrt=math.sqrt, hypot=_hypot,
    isfinite=math.isfinite, inf=math.inf,
)  # fmt: skip
_C = SimpleNamespace(
    log=_as_c(math.log, -math.inf), log1p=_as_c(math.log1p, -math.inf),
    exp=_as_c(math.exp, math.nan), sqrt=_as_c(math.sqrt, math.nan), hypot=np.hypot,
    isfinite=math.isfinite, inf=np.float64(math.inf),
)  # fmt: skip


def _load(name: str, as_c: bool) -> dict[str, Any]:
    """The names of a module of ``sport_ray.families.gaussian``, its imports replaced."""
    source = files("sport_ray") / "families" / "gaussian" / name
    number = np.float64 if as_c else float
    nothing = SimpleNamespace(
        njit=lambda **_: lambda function: function, as_limits=None, as_rows=None, raise_bad=None
    )
    arrays = SimpleNamespace(
        empty=lambda shape: [_Row([number(0.0)] * shape[1]) for _ in range(shape[0])],
        float64=number,
        float32=_round_as_c if as_c else _round_fast,
        nextafter=_next_float32,
    )

    def given(module: str, *rest: Any) -> Any:
        replaced = module == "numba" or module.startswith("sport_ray.")
        return nothing if replaced else builtins.__import__(module, *rest)

    code = compile(source.read_text(encoding="utf-8"), f"<interpreted {name}>", "exec")
    names: dict[str, Any] = {
        "__name__": f"{__name__}.{name.removesuffix('.py')}",
        "__builtins__": {**vars(builtins), "__import__": given},
    }
    exec(code, names)
    names["math"] = _C if as_c else _PYTHON
    names["np"] = arrays
    if "_towards" in names:
        names["_towards"] = lambda x, goal, single: number(_next_float32(x, goal))
        names["_narrow"] = lambda x, single: arrays.float32(x)
    return names


_KL = {as_c: _load("kernels.py", as_c) for as_c in (False, True)}
_SHIFT = {as_c: _load("mean_shift.py", as_c) for as_c in (False, True)}


def _both(call: Callable[..., Any], *rows: Numbers) -> Any:
    """Call with Python's floats, or with C's rules where Python refuses."""
    try:
        return call(False, *(_Row(row) for row in rows))
    except (ArithmeticError, ValueError):
        with np.errstate(all="ignore"):
            return call(True, *(_Row(map(np.float64, row)) for row in rows))


def project_kl_row(
    mean_base: Numbers, std_base: Numbers, mean_task: Numbers, std_task: Numbers, limit: float
) -> tuple[Numbers, Numbers]:
    """As ``sport_ray.families.gaussian.projection.project_kl`` for one state, in float32 numbers: (mean, std).

    Raises:
        ArithmeticError: numbers that the projection does not take.
    """
    count = len(mean_base)

    def call(as_c: bool, m: _Row, s: _Row, mt: _Row, st: _Row, c: _Row) -> tuple[Numbers, Numbers]:
        mean, std, one = _Row(m), _Row(s), _Row([0.0])
        work = _Work([_Row([0.0 * c[0]] * count)])
        code = _KL[as_c]["project_rows"](
            _Matrix(m), _Matrix(s), _Matrix(mt), _Matrix(st), c, True,
            _Matrix(mean), _Matrix(std), one, _Row([0.0]), work,
        )  # fmt: skip
        return _result(code, mean, std)

    return _both(call, mean_base, std_base, mean_task, std_task, [limit])


def project_shift_row(
    mean_base: Numbers, std_base: Numbers, mean_task: Numbers, radius: float
) -> tuple[Numbers, Numbers]:
    """As ``sport_ray.families.gaussian.mean_shift.project_mean_shift`` for one state: (mean, the base's std).

    Raises:
        ArithmeticError: numbers that the projection does not take.
    """

    def call(as_c: bool, m: _Row, s: _Row, mt: _Row, r: _Row) -> tuple[Numbers, Numbers]:
        mean = _Row(m)
        stored = _Matrix(mean, _round_as_c if as_c else _round_fast)
        rows = _SHIFT[as_c]["_shift_rows"]
        return _result(rows(_Matrix(m), _Matrix(s), _Matrix(mt), r, True, stored), mean, s)

    return _both(call, mean_base, std_base, mean_task, [radius])


def log_ratio_row(mean: Numbers, std: Numbers, mean_base: Numbers, std_base: Numbers) -> float:
    """As ``sport_ray.families.gaussian.projection.max_log_ratio`` for one state, nats.

    Raises:
        ArithmeticError: numbers that are no Gaussians.
    """

    def call(as_c: bool, x: _Row, y: _Row, m: _Row, s: _Row) -> float:
        ratio = _Row([0.0])
        rows = _KL[as_c]["log_ratio_rows"]
        code = rows(_Matrix(x), _Matrix(y), _Matrix(m), _Matrix(s), ratio)
        _result(code, x, y)
        return float(ratio[0])

    return _both(call, mean, std, mean_base, std_base)


class _Work(list):
    """Scratch of one row, as a two-dimensional array."""

    @property
    def shape(self) -> tuple[int, int]:
        return (1, len(self[0]))


def _result(code: tuple[int, int, int], mean: _Row, std: _Row) -> tuple[Numbers, Numbers]:
    if code[0]:
        raise ArithmeticError(f"the projection cannot take argument {code[0]}, entry {code[2]}")
    return [float(x) for x in mean], [float(x) for x in std]
