"""XGBoost: autolog of `train` and of the scikit-learn form."""

import mlflow
import numpy as np
import xgboost

mlflow.set_experiment("compat")
mlflow.xgboost.autolog()
rng = np.random.default_rng(0)
rows = rng.random((200, 4))
label = (rows[:, 0] > 0.5).astype(int)
data = xgboost.DMatrix(rows, label=label)
with mlflow.start_run(run_name="train"):
    xgboost.train(
        {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "seed": 0, "nthread": 1},
        data,
        num_boost_round=12,
        evals=[(data, "train")],
        verbose_eval=False,
    )
