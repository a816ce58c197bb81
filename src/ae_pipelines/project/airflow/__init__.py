"""Airflow runs the stages: DAGs written from the pipelines, and a local Airflow to run them. Nothing imports this."""
