"""``outboard run``: a file's environment, a bundle for it, and a run of one of its Dags on this machine.

Knows the order of these steps and what to tell meanwhile; each step is somebody else's.
"""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import attrs
import structlog

from outboard.bundle import contents, environment, inline_metadata, packer, target
from outboard.bundle.disk import refusal
from outboard.bundle.entry import first_line_here
from outboard.cli import interruption
from outboard.cli.asking import Contents, LackingError, ask, check_libraries
from outboard.cli.display import Display, display_on
from outboard.cli.exit_codes import RUN_FAILED, SUCCESS, exit_code_of
from outboard.cli.inputs import parse_conf, parse_connections, parse_variables
from outboard.cli.interruption import Interrupted
from outboard.cli.output import Output, print_json
from outboard.cli.params import check_conf
from outboard.cli.report import error_document, print_table, run_document
from outboard.errors import BundleError, OutboardError, UsageError
from outboard.protocol.serialized_dag import SerializedDag, SerializedTask
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.dag_run import run_dag
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.run_report import DagRunReport, RunRequest

__all__ = ("Request", "run")

BUNDLE_NAME = "local"

_PIPE_WIDTH = 200

_LEVEL_VARIABLE = "AIRFLOW__LOGGING__LOGGING_LEVEL"


@attrs.frozen(kw_only=True)
class Request:
    """What the command line says, unread: see `outboard.cli.inputs` for the forms."""

    file: Path
    dag_id: str | None = None
    task_id: str | None = None
    conf: str | None = None
    variables: Sequence[str] = ()
    connections: Sequence[str] = ()
    as_json: bool = False
    verbose: bool = False


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
        report = _report(request, display)
    except OutboardError as error:
        _tell_json(request, str(error).partition("\n")[0], exit_code_of(error))
        raise
    except Interrupted as interrupt:
        _tell_json(request, "interrupted", interrupt.exit_code)
        raise
    failures = _failures(report, display)
    if request.as_json:
        print_json(run_document(report, failures))
    else:
        # A pipe has no width of its own, and nobody wants it folded.
        print_table(report, Output(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH))
    for task_id, failure in failures.items():
        errors_console.print(f"outboard: {task_id} failed: {failure}", markup=False, soft_wrap=True)
    return SUCCESS if report.state == "success" else RUN_FAILED


def _tell_json(request: Request, problem: str, exit_code: int) -> None:
    if request.as_json:
        print_json(error_document(problem, exit_code))


def _report(request: Request, display: Display) -> DagRunReport:
    # What can be wrong without any process comes first.
    conf = parse_conf(request.conf)
    store = LocalStore(variables=parse_variables(request.variables), connections=parse_connections(request.connections))
    cache = environment.cache_folder()
    libraries: frozenset[str] = frozenset()
    with display, _scratch_folder(cache) as folder:
        while True:
            bundle, found = _bundle(request.file, cache, Path(folder), display, libraries)
            run_it = functools.partial(_run_bundle, bundle, found, request, conf or {}, store, display)
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


async def _run_bundle(
    bundle: Path,
    found: target.Target,
    request: Request,
    conf: Mapping[str, object],
    store: LocalStore,
    display: Display,
    at_once: anyio.Event,
) -> DagRunReport:
    ports = store.ports(display)
    declared = await ask(bundle, request.file, ports=ports)
    check_libraries(declared, found, request.file)
    dag = _chosen(declared, request)
    check_conf(declared.serialized.get(dag.dag_id), conf, only_task=request.task_id)
    display.expect(dag.order if request.task_id is None else (request.task_id,))
    levels = {_LEVEL_VARIABLE: "debug"} if request.verbose else {}
    execute = functools.partial(run_task, [str(bundle), "--stdio"], ports=ports, env=levels, at_once=at_once)
    now = datetime.now(UTC)
    return await run_dag(
        dag,
        execute,
        request=RunRequest(
            run_id=f"manual__{now.isoformat()}",
            logical_date=now,
            conf=conf,
            bundle_name=BUNDLE_NAME,
            file=request.file.name,
        ),
        store=store,
        only_task=request.task_id,
        on_progress=display.change,
    )


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
    return {
        task.task_id: display.last_error(task.task_id) or task.reason for task in report.tasks if task.state == "failed"
    }


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
