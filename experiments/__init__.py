"""What to run: studies, their stages, the sweep on Ray Tune and the command line."""
