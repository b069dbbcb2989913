"""Registers a model as `served` with the alias `champion`."""

import mlflow
import numpy as np
from sklearn.linear_model import LinearRegression

rows = np.arange(20.0).reshape(10, 2)
with mlflow.start_run():
    mlflow.sklearn.log_model(
        LinearRegression().fit(rows, rows.sum(axis=1)),
        name="model",
        registered_model_name="served",
        serialization_format="cloudpickle",
    )
mlflow.MlflowClient().set_registered_model_alias("served", "champion", 1)
