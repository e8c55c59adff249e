"""Tasks that read variables and connections by way of their context, and write variables."""

from outboard import Connection, Variable, dag, get_current_context, task


@task
def reads_by_name(var, conn):
    return [var["value"].region, var["json"].limits["rows"], conn.warehouse.host, conn.get("absent", "none")]


@task
def reads_from_the_whole_context(**context):
    absent = context["var"]["value"].get("my.absent.key", "else")
    return [context["var"]["value"]["my.dotted.key"], absent, get_current_context()["var"]["json"].get("limits")]


@task
def keeps_variables():
    Variable.set("limits", {"rows": 5}, "how much", serialize_json=True)
    keys = list(Variable.keys(prefix="lim"))
    Variable.delete("limits")
    return keys


@task
def shows_a_connection():
    connection = Connection.get("warehouse")
    return [connection.get_uri(), connection.extra_dejson, Connection.from_uri(connection.get_uri(), "w").port]


@dag
def accessors():
    reads_by_name()
    reads_from_the_whole_context()
    keeps_variables()
    shows_a_connection()


accessors()
