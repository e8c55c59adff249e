"""A file that can be imported where it was packed, and not where it runs."""

import importlib
import os

from outboard import dag, task

# By name, since what a file imports by a statement must be there when it is packed.
LIBRARY = "a_library_that_is_gone"

if os.environ.get("LIBRARY_IS_GONE"):
    importlib.import_module(LIBRARY)


@dag
def fragile():
    @task
    def runs():
        pass

    runs()


fragile()
