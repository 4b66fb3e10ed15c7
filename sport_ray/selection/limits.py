"""How many candidates a selector may choose among."""

MOST_CANDIDATES = 4096
