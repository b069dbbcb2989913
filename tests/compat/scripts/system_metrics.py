"""System metrics, sampled in the background."""

import time

import mlflow

mlflow.set_experiment("compat")
mlflow.set_system_metrics_sampling_interval(0.2)
mlflow.set_system_metrics_samples_before_logging(1)
with mlflow.start_run(run_name="system", log_system_metrics=True):
    time.sleep(3)
