"""How large and how small numbers of a study and of the command line may be."""

LARGEST_COUNT = 2**31 - 1
LARGEST_SEED = 2**31 - 1
"""RLlib adds a worker's number and seeds numpy's legacy generator, which takes less than 2**32."""
LONGEST_HORIZON = 1_000_000
SMALLEST_LEVEL = 1e-200
"""Of β and ε: what β is split into stays among the numbers of full precision (above 2.3e-308)."""
