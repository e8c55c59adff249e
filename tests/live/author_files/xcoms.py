"""Tasks that pull XComs in each way that there is, and push values of classes of their own."""

from dataclasses import dataclass

from outboard import BaseXCom, LazyXComSequence, TaskRegistry, dag, task

handlers = TaskRegistry()


@dataclass
class Row:
    number: int
    inside: "Row | None" = None


@task
def pulls_all(ti):
    return ti.xcom_pull("mapped")


@task
def pulls_some(ti):
    return ti.xcom_pull(["mapped"], map_indexes=range(1, 3), include_prior_dates=True, run_id="earlier", default="none")


@task
def looks_at_a_sequence():
    rows = LazyXComSequence("mapped")
    return [len(rows), rows[-1], rows[1:3], [row.upper() for row in LazyXComSequence("mapped", key="few")]]


@task
def gets_all(ti):
    place = {"dag_id": "other", "task_id": "mapped", "run_id": "then"}
    return [BaseXCom.get_all(key="k", **place), BaseXCom.get_all(key="none", **place)]


@task
def deletes(ti):
    BaseXCom.delete("k", "mapped", "other", "then", map_index=2)


@task
def pushes_rows(ti):
    return Row(1, Row(2))


@task
def pulls_rows(ti):
    row = ti.xcom_pull("pushes_rows", map_indexes=None)
    return [type(row).__name__, row.number, row.inside.number]


@dag
def xcoms():
    pulls_all()
    pulls_some()
    looks_at_a_sequence()
    gets_all()
    deletes()
    pushes_rows()
    pulls_rows()


xcoms()


@handlers.task("mapped_over", mapped_over=True)
def lists():
    return ["a", "b"]
