"""Experiments, runs, metrics, params, data set inputs, artifacts and logged models."""
