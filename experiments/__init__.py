"""What to run: studies, their stages, the sweep on Ray Tune, the command line and its Python API.

- ``config``: the study file and its sections. ``studies``: those that ship. ``bases``: policies
  that ship.
- ``stages``: certify, choose, tune, sweep and report, each skipped where its result is there.
- ``sweep``: the plan of cells, the jobs they come out of, and Tune. ``tuning``: the same for
  training parameters. ``task_policies``: where task policies come from.
- ``results``: the result folder. ``cluster``: Ray, resources and signals. ``cli``: the commands.

This folder is imported as ``sport_ray.experiments``. What a user needs is in ``sport_ray``.
"""
