"""Errors, ids, clock, canonical JSON, hashing and access: what every other package may use."""
