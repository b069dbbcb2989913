"""Sweeps: many trials of a pipeline or a function, each a run, by Optuna."""
