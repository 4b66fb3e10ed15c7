"""The study file: its keys, their defaults, and what a mistake is told."""
