"""A benchmark of certified risk: tasks and methods as files, a study for each task and base."""
