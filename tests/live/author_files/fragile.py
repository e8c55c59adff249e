"""A file that can be imported where it was packed, and not where it runs."""

import os

from outboard import dag, task

if os.environ.get("LIBRARY_IS_GONE"):
    import a_library_that_is_gone  # noqa: F401


@dag
def fragile():
    @task
    def runs():
        pass

    runs()


fragile()
