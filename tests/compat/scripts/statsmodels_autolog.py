"""Statsmodels: autolog of an ordinary least squares fit."""

import mlflow
import numpy as np
import statsmodels.api as sm

mlflow.set_experiment("compat")
mlflow.statsmodels.autolog()
rng = np.random.default_rng(0)
rows = rng.random((100, 3))
with mlflow.start_run(run_name="ols"):
    sm.OLS(rows @ [1.0, 2.0, 3.0] + rng.normal(0, 0.1, 100), sm.add_constant(rows)).fit()
