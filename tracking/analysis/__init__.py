"""What the records say: fronts, intervals, tests, comparisons, checks."""
