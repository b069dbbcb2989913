"""Endpoints as desired state: revisions, traffic, rollouts, and the controller that makes it so."""
