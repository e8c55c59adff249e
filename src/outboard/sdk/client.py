"""What a task's body may ask of the outside world, and who answers.

The runtime implements `Client` over its channel and installs it with `use`; `Variable`, `Connection`, `BaseXCom` and
``ti`` ask `current`. Nothing here knows a wire.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any, ParamSpec, Protocol, TypeVar

    from outboard.sdk.connection import Connection
    from outboard.sdk.hitl import HITLUser
    from outboard.sdk.requests import AssetRequests, Queries, StateRequests, XComSequences

    P = ParamSpec("P")
    R = TypeVar("R")
    T = TypeVar("T", bool, int, str)
else:
    Protocol = object

__all__ = ("Client", "current", "use")


class Client(Protocol):
    """The requests that task code makes. Every call blocks until the answer is there, and may come from any thread.

    A refused request raises `outboard.sdk.exceptions.AirflowRuntimeError`; a lost or silent supervisor raises
    `outboard.errors.ChannelError`.
    """

    def get_variable(self, key: str) -> str | None:
        """The value of a variable.

        Raises:
            AirflowRuntimeError: with the error ``VARIABLE_NOT_FOUND`` when there is none.
        """

    def set_variable(self, key: str, value: str, description: str | None) -> None:
        """Create or replace a variable."""

    def delete_variable(self, key: str) -> None:
        """Delete a variable."""

    def variable_keys(self, prefix: str | None) -> Sequence[str]:
        """The keys of all stored variables that begin with `prefix`, or all."""

    def get_connection(self, conn_id: str) -> Connection:
        """A connection.

        Raises:
            AirflowRuntimeError: with the error ``CONNECTION_NOT_FOUND`` when there is none.
        """

    def get_xcom(
        self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None, include_prior_dates: bool
    ) -> tuple[bool, Any]:
        """Whether the XCom exists, and its value as a Python object (None where it does not exist).

        A `map_index` of None means: of the task that is not mapped.
        """

    def set_xcom(self, key: str, value: object, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> None:
        """Store an XCom.

        Raises:
            SerializationError: the value has no encoding; the path to the offending part is in the error.
        """

    def delete_xcom(self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> None:
        """Delete an XCom."""

    def xcom_sequences(self) -> XComSequences:
        """Whom to ask for the XComs of all instances of a mapped task."""

    def assets(self) -> AssetRequests:
        """Whom to ask for assets and their events."""

    def states(self) -> StateRequests:
        """Whom to ask for stores of small values."""

    def queries(self) -> Queries:
        """Whom to ask about other runs and tasks."""

    def mask_secret(self, value: object, name: str | None) -> None:
        """Hide a value, or the telling fields of a mapping, in every record from now on, at the supervisor too."""

    def task_reschedule_start_date(self, ti_id: str, try_number: int) -> datetime | None:
        """When the task first began that was then put off in this try and in those after it; None if it never was."""

    def create_hitl_detail(
        self,
        ti_id: str,
        *,
        options: Sequence[str],
        subject: str,
        body: str | None,
        defaults: Sequence[str] | None,
        multiple: bool,
        params: Mapping[str, Any],
        assigned_users: Sequence[HITLUser],
    ) -> None:
        """Put a question to a human, in place of one that this task has put before."""

    def is_paused(self, dag_id: str) -> bool:
        """Whether a Dag is paused.

        Raises:
            AirflowRuntimeError: among other things where there is no such Dag.
        """

    def option(self, section: str, name: str, default: T) -> T:
        """A setting of the Airflow around, in the type of the default (a bool, an int or a text), where it is known here."""

    def say(self, level: str, event: str) -> None:
        """Put a line into the task's log, without `logging`: ``level`` is one of debug, info, warning and error."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that is never put back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def in_thread(self, function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> Awaitable[R]:
        """Call a blocking function from a coroutine without holding up its event loop."""


_client: Client | None = None


def use(client: Client | None) -> None:
    """Let `client` answer for this process from now on; None means that nobody does."""
    global _client
    _client = client


def current() -> Client:
    """Who answers.

    Raises:
        RuntimeError: nobody does, since no task runs and no Dag is parsed in this process.
    """
    if _client is None:
        raise RuntimeError(
            "variables, connections and XComs exist only while outboard runs a task or loads a Dag; "
            "start the file with `outboard run`"
        )
    return _client
