"""MLflow: one run per cell, one for the sweep."""
