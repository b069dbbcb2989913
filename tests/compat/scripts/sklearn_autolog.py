"""scikit-learn: autolog, with a search over parameters as nested runs."""

import mlflow
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

mlflow.set_experiment("compat")
mlflow.sklearn.autolog(max_tuning_runs=4)
rng = np.random.default_rng(0)
rows = rng.random((120, 4))
label = (rows[:, 0] > 0.5).astype(int)
with mlflow.start_run(run_name="plain"):
    RandomForestClassifier(n_estimators=5, random_state=0).fit(rows, label)
with mlflow.start_run(run_name="search"):
    GridSearchCV(LogisticRegression(random_state=0), {"C": [0.1, 1.0, 10.0]}, cv=3).fit(rows, label)
