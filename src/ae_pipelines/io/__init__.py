"""Kedro datasets: where things are kept, each written whole or not at all."""
