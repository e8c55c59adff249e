"""What a bundle holds, learnt by asking the bundle itself: nobody else loads the author's code.

Knows how a parsing result reads to a person. Must not know why somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from outboard.bundle.target import Target
from outboard.errors import LoadError
from outboard.protocol import messages as m
from outboard.protocol import serialized_dag
from outboard.protocol.serialized_dag import SerializedDag
from outboard.sdk.param_judge import EXTRA
from outboard.supervisor.coordinator import parse_dags
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import LogRecord, LogSink, Ports, TaskKey

__all__ = ("Contents", "LackingError", "ask", "check_libraries")

BUNDLE_NAME = "local"

# The runtime tells the handlers of stub tasks, and what is in which module, in a log record of this logger, since no message
# of the schema can.
CONTENTS_LOGGER = "outboard.contents"

# That record must pass the runtime's filter whatever level our own environment asks for.
_LEVELS = {"AIRFLOW__LOGGING__NAMESPACE_LEVELS": f"{CONTENTS_LOGGER}=info"}

# The last frame of a traceback, of which the report has only the author's part.
_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line (?P<line>\d+).*\n', re.MULTILINE)
_INDENTED = re.compile(r"\A(?: .*\n)+")


@attrs.frozen(kw_only=True)
class Contents:
    """What a bundle can run.

    Attributes:
        dags: its Dags, by id.
        handlers: for Dags that live elsewhere, the ids of the tasks that it handles.
        modules: which of the author's modules have tasks for each Dag.
        serialized: its Dags by id, as it sent them.
        libraries: projects that it takes although none of its files imports them.
    """

    dags: Mapping[str, SerializedDag]
    handlers: Mapping[str, tuple[str, ...]]
    modules: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    serialized: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    libraries: frozenset[str] = frozenset()

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """The ids of all Dags that the bundle has tasks for."""
        return tuple(dict.fromkeys([*self.dags, *self.handlers]))


class LackingError(LoadError):
    """A bundle that may not do with what its environment holds.

    Attributes:
        libraries: projects that it takes although none of its files imports them; some may be there.
    """

    def __init__(self, text: str, libraries: frozenset[str]) -> None:
        super().__init__(text)
        self.libraries = libraries


async def ask(bundle: Path, source: Path, *, ports: Ports | None = None) -> Contents:
    """Ask a bundle what it holds.

    Args:
        bundle: the packed file.
        source: the author's file, for errors.
        ports: what the file finds if it reads variables or connections while it is imported, and where it logs.

    Raises:
        LoadError: the file doesn't import, or a Dag in it is wrong. Its first line is the error; a traceback may follow.
        LackingError: … and maybe because a library is not there.
    """
    served = ports or LocalStore().ports()
    listener = _ContentsListener(served.logs)
    command = [str(bundle), "--stdio"]
    result = await parse_dags(command, _request(source), ports=attrs.evolve(served, logs=listener), env=_LEVELS)
    if result.import_errors:
        text = _load_error(source, "\n\n".join(result.import_errors.values()))
        raise LackingError(text, listener.libraries) if listener.libraries else LoadError(text)
    dags = [serialized_dag.read(dag.data) for dag in result.serialized_dags]
    return Contents(
        dags={dag.dag_id: dag for dag in dags},
        handlers=listener.handlers,
        modules=listener.modules,
        libraries=listener.libraries,
        serialized={dag.dag_id: sent.data for dag, sent in zip(dags, result.serialized_dags, strict=True)},
    )


def check_libraries(held: Contents, found: Target, source: Path) -> None:
    """Refuse a bundle that takes what its environment lacks.

    Args:
        held: what the bundle said.
        found: the environment.
        source: the author's file, for the error.

    Raises:
        LackingError: naming the libraries.
    """
    lacking = sorted(held.libraries - found.libraries)
    if lacking:
        raise LackingError(
            f"{source}: its params have JSON schemas that take {' and '.join(lacking)}, which {found.prefix} has not got; "
            f"add outboard[{EXTRA}] to it, or {' and '.join(lacking)}",
            held.libraries,
        )


def _request(source: Path) -> m.DagFileParseRequest:
    file = source.absolute()
    return m.DagFileParseRequest(file=str(file), bundle_path=str(file.parent), bundle_name=BUNDLE_NAME)


class _ContentsListener:
    """Passes records on, but for those that tell what a module holds."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        # Dicts as ordered sets: two files may import one Dag, or one registry.
        self._handlers: dict[str, dict[str, None]] = {}
        self._modules: dict[str, dict[str, None]] = {}
        self._libraries: set[str] = set()

    @property
    def libraries(self) -> frozenset[str]:
        return frozenset(self._libraries)

    @property
    def handlers(self) -> dict[str, tuple[str, ...]]:
        return {dag_id: tuple(task_ids) for dag_id, task_ids in self._handlers.items()}

    @property
    def modules(self) -> dict[str, tuple[str, ...]]:
        return {dag_id: tuple(modules) for dag_id, modules in self._modules.items()}

    def write(self, task: TaskKey, record: LogRecord) -> None:
        module, dags, handlers = (record.get(name) for name in ("module", "dags", "handlers"))
        is_ours = record.get("logger") == CONTENTS_LOGGER and isinstance(module, str)
        libraries = record.get("libraries")
        if is_ours and isinstance(libraries, Sequence):
            self._libraries.update(map(str, libraries))
            return
        if not (is_ours and isinstance(dags, Sequence) and isinstance(handlers, Mapping)):
            self._sink.write(task, record)
            return
        for dag_id in (*dags, *handlers):
            self._modules.setdefault(str(dag_id), {})[str(module)] = None
        for dag_id, task_ids in handlers.items():
            self._handlers.setdefault(str(dag_id), {}).update(dict.fromkeys(map(str, task_ids)))


def _load_error(source: Path, report: str) -> str:
    """One line that says where and what, and below it the report, if there is more in it."""
    frames = list(_FRAME.finditer(report))
    if not frames:
        return f"{source}: {_first_paragraph(report)}"
    # Behind the last frame its source line, indented, and then the error, which may have several lines itself.
    error = _INDENTED.sub("", report[frames[-1].end() :])
    return f"{frames[-1]['file']}, line {frames[-1]['line']}: {_first_paragraph(error)}\n{report}"


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split())
