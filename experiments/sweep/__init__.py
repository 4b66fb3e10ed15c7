"""The sweep: the grid, its plan of cells, and Ray Tune driving them."""
