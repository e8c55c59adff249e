"""``outboard airflow config``, ``stub`` and ``doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import attrs
from cyclopts import App, Parameter

from outboard.airflow.configuration import Configuration, read_env_file
from outboard.airflow.doctor import Diagnosis, LookUp, Question, diagnose
from outboard.airflow.rendering import Format, render, render_pod_template
from outboard.airflow.settings import Deployment, Executor
from outboard.airflow.stub import StubDag, stub_source
from outboard.airflow.worker import worker
from outboard.cli import interruption
from outboard.cli.asking import ask
from outboard.cli.exit_codes import SUCCESS
from outboard.cli.output import print_json
from outboard.errors import UsageError

__all__ = ("PROBLEMS_FOUND", "airflow")

PROBLEMS_FOUND = 1
"""The doctor's exit code for an Airflow that does not find or start a bundle."""

airflow = App(
    name="airflow",
    help="What an unmodified Airflow needs around a bundle: its settings, a stub Dag, a diagnosis.",
    help_format="plaintext",
)

Version = Annotated[Literal["3.3", "3.4"], Parameter(name="--airflow", help="The version of Airflow.")]


@airflow.command
def config(
    *,
    airflow: Version,
    root: Annotated[Path, Parameter(help="The folder with the bundles, as workers see it.")],
    queue: Annotated[str, Parameter(help="The queue of the tasks that bundles run.")],
    format: Annotated[Format, Parameter(help="How to write them: env, ini (airflow.cfg) or helm.")] = "env",
    executor: Annotated[Executor, Parameter(help="What carries tasks to workers.")] = "local",
    bundles_image: Annotated[
        str | None, Parameter(help="An image with the bundles in /bundles, from which pods are given them.")
    ] = None,
    worker_image: Annotated[str | None, Parameter(help="The image of the pod template's worker.")] = None,
    pod_template: Annotated[
        Path | None, Parameter(help="Write the queue's pod template here, where the executor must find it.")
    ] = None,
) -> int:
    """Print the settings that make an unmodified Airflow run bundles."""
    if executor == "kubernetes" and format != "helm" and pod_template is None:
        raise UsageError(
            "--executor kubernetes needs --pod-template FILE: the file to write the queue's pod template to"
        )
    if pod_template is not None and (executor != "kubernetes" or format == "helm"):
        raise UsageError(
            "--pod-template is for --executor kubernetes with --format env or ini; the chart makes its own"
        )
    deployment = Deployment(
        airflow=airflow,
        root=PurePosixPath(root),
        queue=queue,
        executor=executor,
        bundles_image=bundles_image,
        pod_template=None if pod_template is None else PurePosixPath(pod_template.absolute()),
        **({} if worker_image is None else {"worker_image": worker_image}),
    )
    text = render(deployment, format)
    if pod_template is not None:
        _write(pod_template, render_pod_template(deployment))
    print(text, end="")
    return SUCCESS


@airflow.command
def stub(
    bundle: Annotated[Path, Parameter(help="A packed bundle.")],
    *,
    output: Annotated[
        Path, Parameter(name=["--output", "-o"], help="The Python file to write, in Airflow's Dags folder.")
    ],
    queue: Annotated[str, Parameter(help="The queue of tasks that name none.")] = "outboard",
) -> int:
    """Write the Python file with which Airflow 3.3 schedules the Dags of a bundle."""
    if not bundle.is_file():
        raise UsageError(f"{bundle}: there is no such bundle")
    contents = interruption.run(lambda _: ask(bundle.absolute(), bundle))
    dags = [StubDag.read(data) for data in contents.serialized.values()]
    _write(output, stub_source(bundle.name, dags, contents.handlers, queue=queue))
    print(f"{output}: {', '.join(contents.dag_ids)}", file=sys.stderr)
    return SUCCESS


@airflow.command
def doctor(
    *,
    airflow: Version,
    env: Annotated[
        Path | None, Parameter(help="A file of Airflow's environment variables, instead of those that are set here.")
    ] = None,
    root: Annotated[Path | None, Parameter(help="Look into this folder instead of the configured ones.")] = None,
    dag_id: Annotated[str | None, Parameter(help="A Dag whose bundle must be found.")] = None,
    queue: Annotated[
        Sequence[str], Parameter(negative="", show_default=False, help="A queue that must be routed. May be repeated.")
    ] = (),
    user: Annotated[
        str | None, Parameter(help="The user that workers run as, if it is another: name or number.")
    ] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="Print one JSON document.")] = False,
) -> int:
    """Say why a given Airflow does not find or start a bundle."""
    question = Question(
        airflow=airflow,
        configuration=Configuration.of(os.environ if env is None else read_env_file(env)),
        dag_id=dag_id,
        queues=tuple(queue),
        root=None if root is None else root.absolute(),
        worker=worker(user),
    )
    diagnosis = diagnose(question)
    if json:
        print_json(_document(diagnosis))
    else:
        print("\n".join(_lines(diagnosis)))
    return SUCCESS if diagnosis.is_healthy else PROBLEMS_FOUND


def _lines(diagnosis: Diagnosis) -> list[str]:
    lines = [finding.line for finding in diagnosis.findings]
    lines += [f"look-up: {_told(look_up)}" for look_up in diagnosis.look_ups]
    problems = sum(finding.severity == "problem" for finding in diagnosis.findings)
    return [*lines, "healthy" if not problems else f"{problems} problem{'s' if problems > 1 else ''}"]


def _told(look_up: LookUp) -> str:
    cost = look_up.cost
    return (
        f"{', '.join(look_up.roots)}: {_count(look_up.bundles, 'bundle')} with {_count(len(look_up.dag_ids), 'Dag')}; to "
        f"find one takes up to {cost.next * 1000:.1f} ms of CPU, the first time in a process {cost.first * 1000:.1f} ms"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _document(diagnosis: Diagnosis) -> dict[str, object]:
    look_ups = [
        {
            "coordinator": look_up.coordinator,
            "roots": list(look_up.roots),
            "files": look_up.cost.files,
            "bundles": look_up.bundles,
            "dag_ids": list(look_up.dag_ids),
            "first_cpu_ms": round(look_up.cost.first * 1000, 3),
            "next_cpu_ms": round(look_up.cost.next * 1000, 3),
        }
        for look_up in diagnosis.look_ups
    ]
    findings = [attrs.asdict(finding) for finding in diagnosis.findings]
    return {"healthy": diagnosis.is_healthy, "findings": findings, "look_ups": look_ups}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
