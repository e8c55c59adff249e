"""What somebody who runs an Airflow needs around a bundle: its settings, a stub Dag, and why a bundle does not start.

Knows what Airflow 3.3 and 3.4 read and how they decide. Must not know the supervisor or the runtime, and imports no Airflow:
all of it works where none is installed.
"""
