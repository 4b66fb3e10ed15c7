"""numpy's random streams of many episodes at once: the same numbers, without an object for each."""

from sport_ray.streams.kernels import as_numpy, seeded
from sport_ray.streams.rows import Streams, StreamTable, normal_rows, uniform_rows

__all__ = [
    "StreamTable",
    "Streams",
    "as_numpy",
    "normal_rows",
    "seeded",
    "uniform_rows",
]
