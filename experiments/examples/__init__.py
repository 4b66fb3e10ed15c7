"""Environments of the example studies, made from stock ones."""
