"""Versions of the models in the registry: made, promoted, listed and removed."""
