"""Against stock MLflow and the libraries that log to it: `make compat`."""
