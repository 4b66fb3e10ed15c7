"""Environments of the benchmark's tasks; a module registers its ids when it is imported."""
