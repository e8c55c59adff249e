"""Messages of outboard's own, in the form of the generated catalogue: how a trigger of the author's is run.

They are in no schema of Airflow's, so they go over descriptors 0 and 1 only, where both sides are outboard's or know of it.
Loaded when one of them is asked for, which no task does.
"""

from __future__ import annotations

# name: (is a message, forbids unknown fields, ((field, type, required, default), …))
DEFINITIONS: dict[str, tuple[bool, bool, tuple[tuple[str, object, bool, object], ...]]] = {
    "RunTrigger": (
        True,
        False,
        (
            ("ti", ("ref", "TaskInstance"), True, None),
            ("classpath", "str", True, None),
            ("trigger_kwargs", ("map", "json"), True, None),
        ),
    ),
    "TriggerFailed": (
        True,
        False,
        (
            ("error", "str", True, None),
            ("traceback", ("list", "str", 0), True, None),
            ("is_missing", "bool", False, False),
        ),
    ),
    "TriggerFired": (
        True,
        False,
        (
            ("payload", "json", True, None),
            ("task_instance_state", ("optional", ("enum", "success", "failed", "skipped")), False, None),
            ("xcoms", ("optional", ("map", "json")), False, None),
        ),
    ),
}
