"""numpy's random streams of many episodes at once: the same numbers, without an object for each."""

from sport_ray.streams.kernels import States, as_numpy, fill_normal, fill_uniform, seeded
from sport_ray.streams.rows import Streams, StreamTable, normal_rows, uniform_rows

__all__ = [
    "States",
    "StreamTable",
    "Streams",
    "as_numpy",
    "fill_normal",
    "fill_uniform",
    "normal_rows",
    "seeded",
    "uniform_rows",
]
