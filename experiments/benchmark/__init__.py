"""The benchmark of certified risk: tasks, bases and methods, a file each."""
