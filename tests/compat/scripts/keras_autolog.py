"""Keras on JAX: mlflow's own callback of `mlflow.keras`, and the model."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import mlflow
import numpy as np

mlflow.set_experiment("compat")
keras.utils.set_random_seed(0)
rows = np.random.default_rng(0).random((64, 4)).astype("float32")
label = (rows[:, 0] > 0.5).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
with mlflow.start_run(run_name="fit"):
    model.fit(rows, label, epochs=3, batch_size=16, verbose=0, callbacks=[mlflow.keras.MlflowCallback()])
