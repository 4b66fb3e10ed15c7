"""The command line: parses options, calls a stage, prints what it gives."""
