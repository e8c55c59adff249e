"""What an author's code raises and catches, under the names that ``airflow.sdk.exceptions`` uses.

Only those are here that mean something to the runtime as it is. outboard's own errors are in `outboard.errors`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class ErrorDetails(Protocol):
        """What the supervisor says when it refuses a request."""

        @property
        def error(self) -> str:
            """One of the names in `ErrorType`."""

        @property
        def detail(self) -> dict[str, Any] | None:
            """What else is known."""


__all__ = (
    "AirflowDagCycleException",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRuntimeError",
    "AirflowSkipException",
    "AirflowTaskTerminated",
    "DuplicateTaskIdFound",
    "ErrorType",
    "TaskNotFound",
    "XComNotFound",
)


class AirflowException(Exception):
    """The root of what Airflow raises. Raised by a task's body, it fails the attempt, and a retry may follow."""


class AirflowFailException(AirflowException):
    """Raised by a task's body: the task fails now, whatever retries are left."""


class AirflowSkipException(AirflowException):
    """Raised by a task's body: the task ends in the state ``skipped``. Its text is logged as the reason."""


class AirflowTaskTerminated(BaseException):
    """The task was told to stop. Not an `Exception`, so that ordinary error handling lets it pass."""


class AirflowNotFoundException(AirflowException):
    """Something that was asked for, such as a connection, does not exist."""


class AirflowDagCycleException(AirflowException):
    """The tasks of a Dag wait for one another in a circle."""


class DuplicateTaskIdFound(AirflowException):
    """Two tasks of one Dag, or two handlers, have the same id."""


class TaskNotFound(AirflowException):
    """A Dag has no task of that id."""


class ErrorType:
    """The names of the errors that a supervisor answers with."""

    CONNECTION_NOT_FOUND = "CONNECTION_NOT_FOUND"
    VARIABLE_NOT_FOUND = "VARIABLE_NOT_FOUND"
    XCOM_NOT_FOUND = "XCOM_NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    GENERIC_ERROR = "GENERIC_ERROR"
    API_SERVER_ERROR = "API_SERVER_ERROR"


class AirflowRuntimeError(Exception):
    """The supervisor refused a request, for example because a variable does not exist.

    Attributes:
        error: what the supervisor answered; ``error.error`` is one of the names in `ErrorType`, ``error.detail`` a
            mapping or None.
    """

    def __init__(self, error: ErrorDetails) -> None:
        super().__init__(f"{error.error}: {error.detail}")
        self.error = error


class XComNotFound(AirflowException):
    """A task argument refers to an XCom that was never pushed.

    Attributes:
        dag_id, task_id, key: where the XCom should have been.
    """

    def __init__(self, dag_id: str, task_id: str, key: str) -> None:
        super().__init__(dag_id, task_id, key)
        self.dag_id = dag_id
        self.task_id = task_id
        self.key = key

    def __str__(self) -> str:
        return f"task {self.task_id!r} of Dag {self.dag_id!r} has pushed no XCom with the key {self.key!r}"
