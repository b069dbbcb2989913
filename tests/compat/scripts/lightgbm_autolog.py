"""LightGBM: autolog of `train`."""

import lightgbm
import mlflow
import numpy as np

mlflow.set_experiment("compat")
mlflow.lightgbm.autolog()
rng = np.random.default_rng(0)
rows = rng.random((200, 4))
label = (rows[:, 0] > 0.5).astype(int)
data = lightgbm.Dataset(rows, label=label)
with mlflow.start_run(run_name="train"):
    lightgbm.train(
        {"objective": "binary", "metric": ["binary_logloss"], "verbosity": -1, "seed": 0, "num_threads": 1},
        data,
        num_boost_round=12,
        valid_sets=[data],
        valid_names=["train"],
    )
