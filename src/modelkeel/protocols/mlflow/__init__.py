"""MLflow's REST protocol, 2.0 and 3.0, as the unmodified `mlflow` client speaks it."""
