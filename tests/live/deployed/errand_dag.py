"""Pairs of tasks that ask for the same, once in Airflow's own Python and once in a bundle: what does only the first get?"""

import importlib
import time
from datetime import UTC, datetime, timedelta

from airflow.sdk import Asset, Variable, dag, task

FIND_MODULES = ("airflow", "library_of_the_worker", "beside_the_dag")
READ_VARIABLES = ("of_the_worker", "of_the_server")


def called(context):
    Variable.set(f"called_back_by_{context['ti'].task_id}", "yes")


def found(names, find):
    there = []
    for name in names:
        try:
            find(name)
        except Exception:  # whatever says that there is none
            continue
        there.append(name)
    return there


@task
def natively_finds():
    return {"modules": found(FIND_MODULES, importlib.import_module), "variables": found(READ_VARIABLES, Variable.get)}


@task.stub(queue="outboard")
def finds(): ...


@task(execution_timeout=timedelta(seconds=1))
def natively_overruns():
    time.sleep(2)


@task.stub(queue="outboard", execution_timeout=timedelta(seconds=1))
def overruns(): ...


@task(on_failure_callback=called)
def natively_fails():
    raise ValueError


@task.stub(queue="outboard", on_failure_callback=called)
def fails(): ...


@task(outlets=[Asset("delivered_natively")])
def natively_delivers(): ...


@task.stub(queue="outboard", outlets=[Asset("delivered")])
def delivers(): ...


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)
def errand():
    for each in (natively_finds, natively_overruns, natively_fails, natively_delivers):
        each()
    for each in (finds, overruns, fails, delivers):
        each()


errand()
