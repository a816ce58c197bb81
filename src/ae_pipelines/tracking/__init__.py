"""Runs and registered models in MLflow: the only room that imports it, and only when there is something to do."""
