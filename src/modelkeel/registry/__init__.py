"""Registered models, their versions and the aliases that say which version is meant."""
