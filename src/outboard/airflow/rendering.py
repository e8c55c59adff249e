"""Settings as text: environment variables, ``airflow.cfg``, or values of Airflow's Helm chart.

Knows the three notations, and says in their comments what no setting can. Must not know why a setting is there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Literal

import yaml

from outboard.airflow.settings import DEFAULT_QUEUE, Deployment, Option, options, pod_template, staging

__all__ = ("FORMATS", "Format", "render", "render_pod_template")

Format = Literal["env", "ini", "helm"]
FORMATS: tuple[Format, ...] = ("env", "ini", "helm")

# Wide enough that nobody's JSON is folded.
_WIDTH = 10_000


def render(deployment: Deployment, form: Format) -> str:
    """The settings of a deployment, as a whole document that ends in a newline."""
    lines = [f"# {remark}" for remark in _remarks(deployment)]
    return "\n".join([*lines, _RENDERERS[form](deployment, options(deployment))]) + "\n"


def render_pod_template(deployment: Deployment) -> str:
    """The queue's pod template, as YAML. Its worker gets the settings too: it looks for the bundle itself."""
    variables = {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}  # what a worker's pod must not do is start pods
    variables |= {option.variable: _json(option.value) for option in options(deployment)}
    remark = "# Add what your other worker pods have: airflow.cfg or its variables, secrets, logs, resources.\n"
    return remark + _yaml(pod_template(deployment, variables)) + "\n"


def _remarks(deployment: Deployment) -> list[str]:
    remarks = [f"Airflow {deployment.airflow}: tasks of the queue {deployment.queue} run from {deployment.root}."]
    if deployment.airflow != "3.3":
        remarks.append("dag_bundle_config_list replaces what was there: put your own Dag bundles back into it.")
    if deployment.executor == "celery":
        remarks.append(f"Start the workers that have the bundles with: {_worker_command(deployment.queue)}")
    if deployment.pod_template is not None:
        remarks.append(f"The executor must find the queue's pod template at {deployment.pod_template}.")
    return remarks


def _worker_command(*queues: str) -> str:
    return f"airflow celery worker --queues {shlex.quote(','.join(dict.fromkeys(queues)))}"


def _env(deployment: Deployment, settings: Sequence[Option]) -> str:
    return "\n".join(f"{option.variable}={shlex.quote(_json(option.value))}" for option in settings)


def _ini(deployment: Deployment, settings: Sequence[Option]) -> str:
    lines: list[str] = []
    section = ""
    for option in settings:
        if option.section != section:
            section = option.section
            lines.append(f"[{section}]")
        lines.append(f"{option.key} = {_escaped(option)}")
    return "\n".join(lines)


def _helm(deployment: Deployment, settings: Sequence[Option]) -> str:
    config: dict[str, dict[str, str]] = {}
    for option in settings:
        config.setdefault(option.section, {})[option.key] = _escaped(option)
    values: dict[str, object] = {"config": config}
    staged = staging(deployment) if deployment.bundles_image is not None else {}
    workers = dict(staged)
    if deployment.executor == "celery":
        # The chart has one kind of worker, so it must go on serving the queue of everybody else's tasks.
        workers["args"] = ["bash", "-c", f"exec {_worker_command(DEFAULT_QUEUE, deployment.queue)}"]
    # With the local executor it is the scheduler that runs tasks.
    owner = "scheduler" if deployment.executor == "local" else "workers"
    if workers:
        values[owner] = workers
    if staged and deployment.airflow != "3.3":
        values["dagProcessor"] = staged  # it asks the bundles for their Dags
    return _yaml(values)


_RENDERERS: dict[Format, Callable[[Deployment, Sequence[Option]], str]] = {"env": _env, "ini": _ini, "helm": _helm}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escaped(option: Option) -> str:
    # In airflow.cfg, into which the chart writes too, a percent sign starts an interpolation.
    return _json(option.value).replace("%", "%%")


def _yaml(document: object) -> str:
    unshared = json.loads(_json(document))  # a value that occurs twice is written twice: an anchor is hard to read
    text: str = yaml.safe_dump(unshared, sort_keys=False, width=_WIDTH, allow_unicode=True)
    return text.rstrip("\n")
