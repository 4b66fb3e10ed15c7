"""The report of a study that may still be running, served on this machine alone.

- ``present``: the stage that a run is in, in a small file of its folder.
- ``state``: what a page says of a folder: cells by state, time left, the last change.
- ``pages``: the report made anew when its records change, in a folder of its own.
- ``index``, ``joint``: of a study over several bases what leads to each one's page, and its state.
- ``site``: looks at a folder and makes its pages in turn; which of them is at which path.
- ``server``: pages and states over HTTP, on the loopback address, to read and nothing else.

Nothing here writes into a result folder but ``present``, which belongs to the run that holds it.
"""
