"""Runs one process for one purpose: a try of a task, the parsing of a file, or a trigger.

Everything that is known about the process ends up in one `Evidence`, from which `outboard.supervisor.outcome` decides. A
cancellation is only one more reason to end the process: it is ended in the same way, its last words are read, and nothing
of it stays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import anyio
import attrs
import structlog

from outboard.errors import LoadError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.supervisor import outcome
from outboard.supervisor.limits import Limits
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Evidence, Outcome
from outboard.supervisor.ports import Ports, TaskKey
from outboard.supervisor.spawning import Launch, SpawnError, Transport, spawn
from outboard.supervisor.supervision import Supervision
from outboard.supervisor.task_log import OUTPUT_LEVELS

__all__ = ("parse_dags", "run_task", "run_trigger")

_log = structlog.get_logger(__name__)

# A file that takes longer than this to say what its Dags are does its work at import. Airflow gives it 30 seconds for the
# import and 50 for the process.
PARSE_TIME = 60.0


async def run_task(
    command: Sequence[str],
    startup: m.StartupDetails,
    *,
    ports: Ports,
    limits: Limits | None = None,
    transport: Transport = "stdio",
    env: Mapping[str, str] | None = None,
    directory: str | None = None,
    at_once: anyio.Event | None = None,
) -> Outcome:
    """Run one try of a task in a process of its own.

    Whatever the process does, this returns one outcome within the limits, and nothing of the process is left: no process,
    descriptor or file. A cancellation ends the process in the same way before it goes on.

    Args:
        command: the program and its arguments, such as the path of a bundle.
        startup: what the runtime is told.
        ports: what its requests are served from, and where its log goes.
        limits: how long it may take, and how much it may say at once.
        transport: ``stdio``, or ``sockets`` as Airflow does it.
        env: what to add to the environment's allow-list.
        directory: where the process starts; by default where this one is.
        at_once: once it is set, the process is killed without any more time of grace.

    Raises:
        InvalidMessageError: `startup` is not what the schema wants.
        UsageError: the command is empty.
    """
    task = _key(startup.ti)
    started_at = ports.clock.now()
    evidence = Evidence(should_retry=startup.ti_context.should_retry)
    launch = Launch(command=command, transport=transport, environment=env or {}, directory=directory)
    supervision = Supervision(
        task=task, evidence=evidence, ports=ports, limits=limits or Limits(), at_once=at_once or anyio.Event()
    )
    await _supervise(supervision, launch, startup)
    result = outcome.decide(evidence, started_at=started_at, ended_at=ports.clock.now())
    _log.info("task ended", **attrs.asdict(task), state=result.state, reason=result.reason, exit_code=result.exit_code)
    return result


async def run_trigger(
    command: Sequence[str],
    request: m.RunTrigger,
    *,
    ports: Ports,
    limits: Limits | None = None,
    env: Mapping[str, str] | None = None,
    directory: str | None = None,
    at_once: anyio.Event | None = None,
) -> m.TriggerFired | m.TriggerFailed:
    """Run a trigger of the author's in a process of its own, until it fires or cannot any more.

    A cancellation ends the process, which may clean up, before it goes on.

    Args:
        command: the program and its arguments, such as the path of a bundle.
        request: which trigger, and for whom.
        ports: what its requests are served from, and where its log goes.
        limits: how long it may take, and how much it may say at once.
        env: what to add to the environment's allow-list.
        directory: where the process starts; by default where this one is.
        at_once: once it is set, the process is killed without any more time of grace.

    Returns:
        What it has reported; a failure too if it has ended without a report.

    Raises:
        InvalidMessageError: `request` is not what the schema wants.
        UsageError: the command is empty.
    """
    evidence = Evidence()
    launch = Launch(command=command, environment=env or {}, directory=directory)
    supervision = Supervision(
        task=_key(request.ti),
        evidence=evidence,
        ports=ports,
        limits=limits or Limits(),
        at_once=at_once or anyio.Event(),
    )
    await _supervise(supervision, launch, request)
    if isinstance(evidence.report, m.TriggerFired | m.TriggerFailed):
        return evidence.report
    cause = outcome.decide(evidence, started_at=ports.clock.now(), ended_at=ports.clock.now()).reason
    error = f"the process of the trigger {request.classpath!r} did not say what came of it: {cause}"
    return m.TriggerFailed(error=error, traceback=[])


async def parse_dags(
    command: Sequence[str],
    request: m.DagFileParseRequest,
    *,
    ports: Ports | None = None,
    limits: Limits | None = None,
    transport: Transport = "stdio",
    env: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> m.DagFileParsingResult:
    """Ask a bundle, in a process of its own, what its Dags are.

    A file that does not import is no failure of this: the result names it in its ``import_errors``.

    Args:
        command: the program and its arguments, such as the path of a bundle.
        request: what is to be parsed.
        ports: what the file's requests at import are served from; by default a store without anything.
        limits: how long it may take, a minute by default, and how much it may say at once.
        transport: ``stdio``, or ``sockets`` as Airflow does it.
        env: what to add to the environment's allow-list.
        directory: where the process starts; by default where this one is.

    Raises:
        LoadError: the process ended, or was ended, without a result; the text says how, with the last it printed.
        InvalidMessageError: `request` is not what the schema wants.
        UsageError: the command is empty.
    """
    served = ports or LocalStore().ports()
    last_words = _LastWords(served)
    served = attrs.evolve(served, logs=last_words)
    evidence = Evidence()
    task = TaskKey(dag_id="", run_id="", task_id=request.file)
    launch = Launch(command=command, transport=transport, environment=env or {}, directory=directory)
    supervision = Supervision(task=task, evidence=evidence, ports=served, limits=limits or Limits(execution=PARSE_TIME))
    await _supervise(supervision, launch, request)
    if isinstance(evidence.report, m.DagFileParsingResult) and evidence.exceeded is None:
        return evidence.report
    cause = outcome.decide(evidence, started_at=served.clock.now(), ended_at=served.clock.now()).reason
    said = f"; it printed: {last_words.text}" if last_words.text else ""
    raise LoadError(f"{request.file}: its process did not say what its Dags are: {cause}{said}")


def _key(instance: m.TaskInstance) -> TaskKey:
    return TaskKey(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=instance.map_index,
        try_number=instance.try_number,
    )


class _LastWords:
    """Passes records on, and keeps the last line that a process printed in its distress."""

    def __init__(self, ports: Ports) -> None:
        self._next = ports.logs
        self.text = ""

    def write(self, task: TaskKey, record: dict[str, object]) -> None:
        event = str(record.get("event", "")).strip()
        if event and record.get("logger") in OUTPUT_LEVELS:
            self.text = event
        self._next.write(task, record)


async def _supervise(supervision: Supervision, launch: Launch, greeting: m.Message) -> None:
    """Run a process from its spawn to its end, and fill the evidence."""
    if not launch.command:
        raise UsageError("the command that starts a task's process is empty")
    encode_body(greeting)  # what is wrong with it is the caller's business, and no process is needed to find out

    async def supervise() -> None:
        with anyio.CancelScope(shield=True):
            try:
                async with spawn(launch, host_environment=os.environ, grace=supervision.limits.grace) as process:
                    await supervision.run(process, greeting)
            except SpawnError as error:
                supervision.evidence.not_started = str(error)
            finally:
                finished.set()

    finished = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervise)
        try:
            await finished.wait()
        finally:
            # Reached by a cancellation too. The process is then ended like any other, with its pipes still being read,
            # and the group waits for that.
            supervision.no_longer_wanted.set()
