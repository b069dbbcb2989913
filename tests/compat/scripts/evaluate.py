"""`mlflow.models.evaluate` of a classifier and of a regressor, with their plots and tables."""

import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

mlflow.set_experiment("compat")
rng = np.random.default_rng(0)
rows = pd.DataFrame(rng.random((120, 3)), columns=["a", "b", "c"])
label = (rows["a"] > 0.5).astype(int)
with mlflow.start_run(run_name="classifier"):
    info = mlflow.sklearn.log_model(
        LogisticRegression().fit(rows, label), name="model", serialization_format="cloudpickle"
    )
    table = rows.assign(label=label)
    mlflow.models.evaluate(
        info.model_uri, table, targets="label", model_type="classifier", evaluator_config={"log_explainer": False}
    )
with mlflow.start_run(run_name="regressor"):
    info = mlflow.sklearn.log_model(
        LinearRegression().fit(rows, rows["a"] * 2), name="model", serialization_format="cloudpickle"
    )
    table = rows.assign(label=rows["a"] * 2)
    mlflow.models.evaluate(
        info.model_uri, table, targets="label", model_type="regressor", evaluator_config={"log_explainer": False}
    )
