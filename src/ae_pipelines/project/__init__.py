"""What Kedro calls: hooks, configuration, the lock of a data folder, the summary, and DAGs for Airflow."""
