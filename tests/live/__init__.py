"""Bundles under a real, unmodified Airflow."""
