"""Records what Airflow's own trigger rules decide, into ``fixtures/data/trigger_rules.json``.

Run it with the Python of an environment that has Airflow 3 and not necessarily outboard::

    python src/outboard/_tools/record_trigger_rules.py > fixtures/data/trigger_rules.json

Every rule is asked about every combination of states of up to three upstream tasks, none of them mapped, none of them a
set-up task. Airflow 3.3.2 and 3.4.0b2 decided the same.
"""

from __future__ import annotations

import itertools
import json
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

STATES = ("running", "success", "failed", "skipped", "upstream_failed", "removed")
MOST_UPSTREAM = 3


def decide(rule: str, states: tuple[str, ...]) -> str:
    """Ask Airflow: the state that it sets, or else whether the task may run."""
    rules: Any = import_module("airflow.ti_deps.deps.trigger_rule_dep")
    upstream = [
        SimpleNamespace(task_id=f"u{number}", is_setup=False, get_needs_expansion=lambda: False)
        for number in range(len(states))
    ]
    ended = [
        SimpleNamespace(task_id=task.task_id, state=state, map_index=-1, task=task)
        for task, state in zip(upstream, states, strict=True)
        if state != "running"
    ]
    task = SimpleNamespace(
        trigger_rule=rule,
        upstream_list=upstream,
        upstream_task_ids={task.task_id for task in upstream},
        is_teardown=False,
        get_upstreams_only_setups=list,
        get_closest_mapped_task_group=lambda: None,
    )
    found: list[str] = []

    def set_state(state: Any, session: object) -> bool:
        found.append(state.value)
        return True

    instance: Any = SimpleNamespace(
        task=task,
        map_index=-1,
        get_dagrun=lambda session: None,
        set_state=set_state,
        region_index=-1,  # asked since 3.4
    )
    context: Any = SimpleNamespace(
        flag_upstream_failed=True,
        wait_for_past_depends_before_skipping=False,
        have_changed_ti_states=False,
        ensure_finished_tis=lambda run, session: ended,
        has_regions=lambda ti, session: False,  # asked since 3.4
    )
    statuses = list(rules.TriggerRuleDep()._get_dep_statuses(instance, context, session=None))
    if found:
        return found[0]
    return "run" if all(status.passed for status in statuses) else "wait"


def record() -> dict[str, object]:
    """Ask about every rule and every combination."""
    version: str = import_module("airflow").__version__
    names = sorted(rule.value for rule in import_module("airflow.task.trigger_rule").TriggerRule)
    combinations = [
        states
        for count in range(1, MOST_UPSTREAM + 1)
        for states in itertools.combinations_with_replacement(STATES, count)
    ]
    rules = {name: {" ".join(states): decide(name, states) for states in combinations} for name in names}
    provenance = f"what Apache Airflow {version} decides; recorded by _tools/record_trigger_rules.py"
    return {"provenance": provenance, "rules": rules}


if __name__ == "__main__":
    json.dump(record(), sys.stdout, indent=1)
    sys.stdout.write("\n")
