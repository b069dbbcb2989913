"""What stood behind a run: the project's files, the environment, the machine."""
