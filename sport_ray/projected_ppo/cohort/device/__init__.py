"""Training a cohort wholly on one device: all cells in lockstep, nothing waits for the host.

On a CPU cells learn one after another, because a cell's numbers fit the cache. A GPU is filled by
hundreds of cells that take the same step at the same time: here every wall step is a step of every
copy of every cell, and every minibatch step is one of every cell. It runs on a CPU, too, which is
how it is tested. Nothing here imports Ray at module level.
"""
