"""An author's file that imports nothing of its own, and tells what was loaded when its task began and ended."""

import sys

from outboard import Variable, dag, task


@dag
def modules():
    @task
    def tell():
        started = sorted(sys.modules)
        print("a line")
        Variable.get("region")
        return {"started": started, "ended": sorted(sys.modules)}

    tell()


modules()
