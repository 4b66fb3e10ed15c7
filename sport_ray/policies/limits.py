"""How large a policy may be: what a file claims beyond is refused before memory is taken."""

WIDEST = 100_000
"""Observations, actions and units of a layer."""
MOST_LAYERS = 100
MOST_PARAMETERS = 50_000_000
"""Weights of a policy: 200 MB."""
