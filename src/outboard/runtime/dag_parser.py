"""Which Dags the bundle holds: the answer to a ``DagFileParseRequest``.

No task's body runs here. A file or a Dag that is broken costs the others nothing: its error goes into the answer beside them.
"""

from __future__ import annotations

import os

from outboard.errors import BundleError, MissingLibraryError
from outboard.protocol import messages as m
from outboard.runtime import author_file
from outboard.runtime.dag_serde import serialize_dag
from outboard.sdk.client import use
from outboard.sdk.exceptions import AirflowException, DuplicateTaskIdFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from outboard.comms.channel import Channel
    from outboard.protocol.messages import DagFileParseRequest, DagFileParsingResult
    from outboard.runtime.author_file import AuthorError
    from outboard.runtime.bundle import Bundle
    from outboard.runtime.logs import Logs
    from outboard.sdk.dag import DAG
    from outboard.sdk.registry import Declarations

__all__ = ("CONTENTS_LOGGER", "parse", "run")

CONTENTS_LOGGER = "outboard.contents"


def run(request: DagFileParseRequest, bundle: Bundle, channel: Channel, logs: Logs) -> DagFileParsingResult:
    """Load the author's modules and answer. They may ask for variables and connections meanwhile.

    No released message can say which handlers of stub tasks a bundle has, nor which module a Dag is in. So that goes out before
    the answer, as one log record a module of the logger `CONTENTS_LOGGER`, with the extras ``module``, ``dags`` (a list of
    ids) and ``handlers`` (lists of task ids by the ids of Dags). Another one with ``module`` and ``libraries`` names projects
    that the module takes although it does not import them, whether they are there or not.

    Args:
        request: the greeting.
        bundle: whose Dags they are.
        channel: to the supervisor.
        logs: where the handlers and modules are named.
    """
    from outboard.runtime.client import ChannelClient

    use(ChannelClient(channel, logs, bundle.is_authors))
    try:
        bundle.complete()
    except BundleError as error:
        return m.DagFileParsingResult(
            fileloc=request.file, serialized_dags=[], import_errors={_relative(request): str(error)}
        )
    loaded, failed = author_file.load_each(bundle.modules)
    for module, declarations in loaded.items():
        _tell_contents(module, declarations, logs)
        _tell_libraries(module, {name for dag in declarations.dags for name in _libraries(dag)}, logs)
    for failure in failed:
        if isinstance(failure.__cause__, MissingLibraryError):
            _tell_libraries(failure.module, {failure.__cause__.library}, logs)
    return parse(request, list(loaded.values()), failed)


def _tell_contents(module: str, declarations: Declarations, logs: Logs) -> None:
    handlers: dict[str, list[str]] = {}
    for handler in declarations.handlers:
        handlers.setdefault(handler.dag_id, []).append(handler.task_id)
    dags = [dag.dag_id for dag in declarations.dags]
    logs.emit("info", "what a module holds", CONTENTS_LOGGER, {"module": module, "dags": dags, "handlers": handlers})


def _tell_libraries(module: str, libraries: set[str], logs: Logs) -> None:
    if libraries:
        extras = {"module": module, "libraries": sorted(libraries)}
        logs.emit("info", "what a module takes without importing it", CONTENTS_LOGGER, extras)


def _libraries(dag: DAG) -> set[str]:
    """What it takes to judge the params of a Dag and of its tasks."""
    declared = [params for task in dag.tasks if (params := getattr(task, "params", None))]
    if dag.has_params:
        declared.append(dag.params)
    if not declared:
        return set()
    from outboard.sdk.param_judge import libraries
    from outboard.sdk.param_schema import needs_library

    schemas = [param.schema for params in declared for param in params.values()]
    return {name for schema in schemas if needs_library(schema) for name in libraries(schema)}


def parse(
    request: DagFileParseRequest, loaded: Sequence[Declarations], failed: Sequence[AuthorError] = ()
) -> DagFileParsingResult:
    """The answer for what was loaded and what was not.

    Errors stand under the file that was asked for, relative to the folder it came from, since that is the file that the
    supervisor knows; which of the author's files they are in, they say themselves.
    """
    errors = [error.report for error in failed]
    dags = []
    seen: dict[str, str] = {}
    told: set[int] = set()  # by identity: a file that imports another one's Dag declares it once more, not another one
    for declarations in loaded:
        problems = [(dag, error) for dag, error in declarations.problems() if id(dag) not in told]
        errors += [_line(error) for _, error in problems]
        told.update(id(dag) for dag, _ in problems if dag is not None)
        for dag in declarations.dags:
            if id(dag) in told:
                continue
            told.add(id(dag))
            if dag.dag_id in seen:
                errors.append(_line(_taken(dag, seen, declarations.file)))
                continue
            seen[dag.dag_id] = declarations.file
            dags.append(_serialized(dag, request))
        if not declarations.dags and not declarations.handlers:
            errors += [_never_called(name, declarations.file) for name in declarations.uncalled]
    return m.DagFileParsingResult(
        fileloc=request.file,
        serialized_dags=dags,
        import_errors={_relative(request): "\n\n".join(errors)} if errors else None,
    )


def _serialized(dag: DAG, request: DagFileParseRequest) -> m.LazyDeserializedDAG:
    data = serialize_dag(dag)
    data["dag"]["fileloc"] = request.file
    data["dag"]["relative_fileloc"] = _relative(request)
    return m.LazyDeserializedDAG(data=data)


def _taken(dag: DAG, seen: dict[str, str], file: str) -> AirflowException:
    return DuplicateTaskIdFound(f"two Dags have the id {dag.dag_id!r}: one in {seen[dag.dag_id]}, one in {file}")


def _line(error: AirflowException) -> str:
    return f"{type(error).__name__}: {error}"


def _never_called(name: str, file: str) -> str:
    return f"{file} declares no Dag: {name} is under @dag, but is never called; add the line {name}()"


def _relative(request: DagFileParseRequest) -> str:
    return os.path.relpath(request.file, request.bundle_path)
