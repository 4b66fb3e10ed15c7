"""The search of training parameters before a sweep."""
