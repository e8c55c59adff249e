"""The bundle's half of the pairs in errand_dag.py."""

import importlib
import time

from outboard import TaskRegistry, Variable

handlers = TaskRegistry()


def found(names, find):
    there = []
    for name in names:
        try:
            find(name)
        except Exception:  # whatever says that there is none
            continue
        there.append(name)
    return there


@handlers.task("errand")
def finds():
    modules = ("airflow", "library_of_the_worker", "beside_the_dag")
    variables = ("of_the_worker", "of_the_server")
    return {"modules": found(modules, importlib.import_module), "variables": found(variables, Variable.get)}


@handlers.task("errand")
def overruns():
    time.sleep(2)


@handlers.task("errand")
def fails():
    raise ValueError


@handlers.task("errand")
def delivers(): ...
