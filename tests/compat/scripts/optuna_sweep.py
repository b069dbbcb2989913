"""An Optuna sweep: 200 nested runs below one parent."""

import mlflow
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
mlflow.set_experiment("compat")


def objective(trial: optuna.Trial) -> float:
    with mlflow.start_run(nested=True, run_name=f"trial-{trial.number}"):
        x = trial.suggest_float("x", -10, 10)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        mlflow.log_params({"x": x, "kind": kind})
        loss = (x - 2) ** 2 + (kind == "b")
        mlflow.log_metrics({"loss": loss, "distance": abs(x - 2)}, step=trial.number)
        return loss


with mlflow.start_run(run_name="sweep") as parent:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=200)
    mlflow.log_params({f"best_{key}": value for key, value in study.best_params.items()})
    mlflow.log_metric("best_loss", study.best_value)
children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'", max_results=1000)
assert len(children) == 200
best = mlflow.search_runs(
    filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}' AND metrics.loss < 100",
    order_by=["metrics.loss ASC"],
    max_results=1,
)
assert best["metrics.loss"][0] == study.best_value
