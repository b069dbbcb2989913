"""Moving in and out: what comes from, and goes to, MLflow and other Modelkeels."""
