"""Predictions logged, labels joined, drift and quality watched by window, alerts raised and acted on."""
