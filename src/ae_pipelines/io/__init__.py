"""Kedro datasets: where things are kept, and how they get there whole."""
