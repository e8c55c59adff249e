"""Prints the Dags that Airflow's own DagBag finds in a folder, serialised by Airflow, as one line of JSON.

This file runs inside Airflow's environment. It must not know outboard.
"""

from __future__ import annotations

import json
import os
import sys

os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization


def main() -> None:
    """Load the folder named by the first argument. Airflow logs to stdout, so the answer keeps the real one for itself."""
    answers = os.dup(1)
    os.dup2(2, 1)
    bag = DagBag(sys.argv[1], safe_mode=False)
    dags = {dag_id: DagSerialization.to_dict(dag)["dag"] for dag_id, dag in bag.dags.items()}
    answer = {"dags": dags, "import_errors": bag.import_errors}
    with open(answers, "w") as stream:
        json.dump(answer, stream, default=str)


if __name__ == "__main__":
    main()
