"""``outboard run``: a file's environment, a bundle for it, and a run of one of its Dags on this machine.

Knows the order of these steps and what to tell meanwhile; each step is somebody else's.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import attrs
import structlog

from outboard.bundle import contents, environment, inline_metadata, packer, target
from outboard.bundle.disk import refusal
from outboard.bundle.entry import first_line_here
from outboard.cli import interruption
from outboard.cli.answering import Person
from outboard.cli.asking import Contents, LackingError, ask, check_libraries
from outboard.cli.display import Display, display_on
from outboard.cli.exit_codes import RUN_FAILED, SUCCESS, exit_code_of
from outboard.cli.interruption import Interrupted
from outboard.cli.output import Output, print_json
from outboard.cli.params import check_conf, conf_problems
from outboard.cli.report import error_document, print_table, run_document
from outboard.cli.run_request import Given, Request, read
from outboard.errors import BundleError, OutboardError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.serialized_dag import SerializedDag, SerializedTask
from outboard.supervisor.coordinator import run_task, run_trigger
from outboard.supervisor.dag_run import run_dag
from outboard.supervisor.dag_runs import DagRuns
from outboard.supervisor.human_input import HumanInput
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import Ports
from outboard.supervisor.run_report import DagRunReport, RunRequest, TaskReport
from outboard.supervisor.triggers import GivenEvents, Triggers
from outboard.supervisor.virtual_clock import VirtualClock

__all__ = ("Request", "run")

BUNDLE_NAME = "local"

_PIPE_WIDTH = 200

_LEVEL_VARIABLE = "AIRFLOW__LOGGING__LOGGING_LEVEL"

# The run that was asked for, and those that its tasks have triggered.
_Reports = tuple[DagRunReport, tuple[DagRunReport, ...]]


def run(request: Request) -> int:
    """Run a Dag and tell about it.

    Returns:
        The exit code: whether the run was a success.

    Raises:
        OutboardError: there was no run, because of the input or the environment.
    """
    errors_console = Output(stderr=True, highlight=False)
    display = display_on(errors_console, request.file, verbose=request.verbose)
    _log_to(display, verbose=request.verbose)
    try:
        report, triggered = _reports(request, display, errors_console)
    except OutboardError as error:
        _tell_json(request, str(error).partition("\n")[0], exit_code_of(error))
        raise
    except Interrupted as interrupt:
        _tell_json(request, "interrupted", interrupt.exit_code)
        raise
    failures = [(one, _failures(one, display)) for one in (report, *triggered)]
    if request.as_json:
        print_json(run_document(*failures[0], [run_document(*other) for other in failures[1:]]))
    else:
        # A pipe has no width of its own, and nobody wants it folded.
        console = Output(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        for one, _ in failures:
            print_table(one, console)
    for one, failed in failures:
        for task_id, failure in failed.items():
            name = display.name_of(one.dag_id, one.run_id, task_id)
            errors_console.print(f"outboard: {name} failed: {failure}", markup=False, soft_wrap=True)
    return SUCCESS if report.state == "success" else RUN_FAILED


def _tell_json(request: Request, problem: str, exit_code: int) -> None:
    if request.as_json:
        print_json(error_document(problem, exit_code))


def _reports(request: Request, display: Display, console: Output) -> _Reports:
    # What can be wrong without any process comes first.
    given = read(request, display, console)
    store = LocalStore(variables=given.variables, connections=given.connections)
    cache = environment.cache_folder()
    libraries: frozenset[str] = frozenset()
    with display, _scratch_folder(cache) as folder:
        while True:
            bundle, found = _bundle(request.file, cache, Path(folder), display, libraries)
            run_it = functools.partial(_run_bundle, bundle, found, request, given, store, display)
            try:
                return interruption.run(run_it)
            except LackingError as error:
                lacking = error.libraries - found.libraries - libraries
                if found.prefix == Path(sys.prefix) or not lacking:
                    raise
                libraries |= lacking  # nothing has been run yet


def _scratch_folder(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for the bundle: in the cache, since environments are executed from there too."""
    home = cache / "bundles"
    try:
        # Whatever the umask: bundles trust a cache only if nobody else can write to it.
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=home)
    except OSError as error:
        raise BundleError(refusal(home, error)) from error


def _bundle(
    file: Path, cache: Path, folder: Path, display: Display, libraries: frozenset[str]
) -> tuple[Path, target.Target]:
    """Pack the file for its own environment."""
    home = _environment(file, cache, display, libraries)
    found = target.inspect(home, libraries=contents.KNOWN_LIBRARIES)
    author = contents.collect([file], [], found)
    sketch = packer.draft(author, found, first_line=first_line_here())
    bundle = folder / sketch.name
    # Without Dag ids: they are for whoever looks for a bundle by them, and this one is known by its path.
    packer.write(sketch, bundle, {})
    return bundle, found


def _environment(file: Path, cache: Path, display: Display, libraries: frozenset[str]) -> Path:
    """The environment that the file's metadata asks for; without metadata, the one that outboard itself runs in."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    metadata = inline_metadata.read(text, file.name)
    if metadata is None:
        return Path(sys.prefix)
    return environment.environment_for(metadata, file.name, cache=cache, tell=display.note, libraries=sorted(libraries))


@attrs.frozen(kw_only=True)
class _Processes:
    """Starts the bundle: for each try of a task, and for each trigger of the author's."""

    bundle: Path
    ports: Ports
    clock: VirtualClock
    environment: Mapping[str, str]
    at_once: anyio.Event

    async def run_task(self, startup: m.StartupDetails) -> Outcome:
        return await run_task(
            [str(self.bundle), "--stdio"], startup, ports=self.ports, env=self._environment(), at_once=self.at_once
        )

    async def run_trigger(self, trigger: m.RunTrigger) -> m.TriggerFired | m.TriggerFailed:
        return await run_trigger(
            [str(self.bundle), "--stdio"], trigger, ports=self.ports, env=self._environment(), at_once=self.at_once
        )

    def _environment(self) -> dict[str, str]:
        return {**self.environment, **self.clock.environment()}


async def _run_bundle(
    bundle: Path,
    found: target.Target,
    request: Request,
    given: Given,
    store: LocalStore,
    display: Display,
    at_once: anyio.Event,
) -> _Reports:
    declared = await ask(bundle, request.file, ports=store.ports(display))
    check_libraries(declared, found, request.file)
    dag = _chosen(declared, request)
    check_conf(declared.serialized.get(dag.dag_id), given.conf, only_task=request.task_id)
    given.check(declared)
    clock = VirtualClock(leaps=request.fast_forward)
    runs = DagRuns(declared.dags, clock, declared.serialized, conf_problems)
    processes = _Processes(
        bundle=bundle,
        ports=attrs.evolve(store.ports(display), dag_runs=runs),
        clock=clock,
        environment={_LEVEL_VARIABLE: "debug"} if request.verbose else {},
        at_once=at_once,
    )
    make_run = functools.partial(
        run_dag,
        execute=processes.run_task,
        store=store,
        clock=clock,
        triggers=Triggers(clock=clock, run_trigger=processes.run_trigger, events=GivenEvents(*given.events), runs=runs),
        human_input=HumanInput(clock=clock, respondent=Person(given.user, given.answers, given.terminal)),
        on_progress=display.change,
    )
    now = clock.now()
    asked = RunRequest(
        run_id=f"manual__{now.isoformat()}",
        logical_date=now,
        conf=given.conf,
        bundle_name=BUNDLE_NAME,
        file=request.file.name,
    )
    display.expect(dag.order if request.task_id is None else (request.task_id,), (dag.dag_id, asked.run_id))
    return await runs.run(dag, asked, make_run, only_task=request.task_id, on_reset=store.forget_run)


# ── which Dag ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _chosen(declared: Contents, request: Request) -> SerializedDag:
    """The Dag to run.

    Raises:
        UsageError: there is none, there are several, or not this one; the text lists those that there are.
    """
    known = ", ".join(declared.dag_ids)
    if not known:
        raise UsageError(f"{request.file}: no Dag and no registered task in it, so there is nothing to run")
    if request.dag_id is None and len(declared.dag_ids) > 1:
        raise UsageError(f"{request.file} holds several Dags; name one of them: {known}")
    dag_id = request.dag_id or declared.dag_ids[0]
    if dag_id in declared.dags:
        return declared.dags[dag_id]
    if dag_id not in declared.handlers:
        raise UsageError(f"{request.file} has no Dag {dag_id!r}; it has: {known}")
    tasks = {task_id: SerializedTask(task_id, (), {}) for task_id in declared.handlers[dag_id]}
    if request.task_id is None:
        raise UsageError(
            f"the Dag {dag_id!r} lives elsewhere, and {request.file} only handles tasks of it; "
            f"run one with --task: {', '.join(tasks)}"
        )
    return SerializedDag(dag_id, tasks, tuple(tasks))


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────────


def _failures(report: DagRunReport, display: Display) -> dict[str, str]:
    """Why tasks failed, by task id, in one line each."""
    return {task.task_id: _failure(report, task, display) for task in report.tasks if task.state == "failed"}


def _failure(report: DagRunReport, task: TaskReport, display: Display) -> str:
    if task.tries and task.tries[-1].outcome.state != "failed":
        return task.reason  # it was not its process that failed it
    return display.last_error(display.name_of(report.dag_id, report.run_id, task.task_id)) or task.reason


def _log_to(display: Display, *, verbose: bool) -> None:
    """Let what the supervisor logs about itself appear among the rest; its news are in the display already."""

    def show(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        text = str(event.pop("event", ""))
        display.note(" ".join([text, *(f"{key}={value}" for key, value in event.items() if value is not None)]))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, show],
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "warning"),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
