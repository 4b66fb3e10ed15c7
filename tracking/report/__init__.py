"""The report: one self-contained page, and what is worth keeping of a study."""
