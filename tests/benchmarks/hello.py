"""The smallest Dag that does something: one task that returns a value."""

from outboard import dag, task


@dag
def hello():
    @task
    def greet():
        return "hello"

    greet()


hello()
