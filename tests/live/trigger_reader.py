"""Makes triggers of what a task deferred with, as Airflow's triggerer does, and says what they became, one line of JSON each.

This file runs inside Airflow's environment. It must not know outboard.
"""

from __future__ import annotations

import json
import os
import sys

from airflow._shared.module_loading import import_string
from airflow.models.trigger import Trigger
from airflow.serialization.decoders import smart_decode_trigger_kwargs


def main() -> None:
    """Answer each line of stdin. Airflow logs to stdout, so the answers keep the real one for themselves."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        stored = Trigger(classpath=asked["classpath"], kwargs={})
        stored.encrypted_kwargs = json.dumps(asked["kwargs"])
        kwargs = {name: smart_decode_trigger_kwargs(value) for name, value in stored.kwargs.items()}
        trigger = import_string(asked["classpath"])(**kwargs)
        classpath, serialized = trigger.serialize()
        answer = {"class": type(trigger).__name__, "classpath": classpath, "kwargs": serialized}
        print(json.dumps(answer, default=lambda value: value.isoformat()), file=answers)


if __name__ == "__main__":
    main()
