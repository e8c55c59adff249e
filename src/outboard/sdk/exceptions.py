"""What an author's code raises and catches, under the names that ``airflow.sdk.exceptions`` uses.

Only those are here that mean something to the runtime as it is. outboard's own errors are in `outboard.errors`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime, timedelta
    from typing import Any, Protocol

    class Trigger(Protocol):
        """What a task waits for: something that can be made again elsewhere."""

        def serialize(self) -> tuple[str, dict[str, Any]]:
            """The path of its class, and the keyword arguments to make it with."""

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
    "AirflowInactiveAssetInInletOrOutletException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowRuntimeError",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTerminated",
    "AirflowTaskTimeout",
    "DagRunTriggerException",
    "DownstreamTasksSkipped",
    "DuplicateTaskIdFound",
    "ErrorType",
    "ParamValidationError",
    "TaskAwaitingInput",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "TaskDeferred",
    "TaskNotFound",
    "UnmappableXComTypePushed",
    "XComForMappingNotPushed",
    "XComNotFound",
)


class AirflowException(Exception):
    """The root of what Airflow raises. Raised by a task's body, it fails the attempt, and a retry may follow."""


class AirflowFailException(AirflowException):
    """Raised by a task's body: the task fails now, whatever retries are left."""


class AirflowSkipException(AirflowException):
    """Raised by a task's body: the task ends in the state ``skipped``. Its text is logged as the reason."""


class AirflowSensorTimeout(AirflowException):
    """A sensor has waited for as long as it may: the task fails now, whatever retries are left."""


class AirflowRescheduleException(AirflowException):
    """Raised by a task's body: the process ends, and the task is run again, as the same try, at a later time.

    Attributes:
        reschedule_date: when; an aware datetime.
    """

    def __init__(self, reschedule_date: datetime) -> None:
        super().__init__()
        self.reschedule_date = reschedule_date

    def __str__(self) -> str:
        return f"to be run again at {self.reschedule_date}"


class TaskDeferred(BaseException):
    """Raised by a task's body: the process ends, and the task goes on in another one when a trigger has fired.

    Not an `Exception`, so that ordinary error handling lets it pass.

    Attributes:
        trigger: what to wait for.
        method_name: the operator's method to go on with.
        kwargs: what the method gets beside the context and the event; None for nothing.
        timeout: how long to wait at most: a timedelta or seconds; None for as long as it takes.
    """

    def __init__(
        self,
        *,
        trigger: Trigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> None:
        super().__init__()
        self.trigger = trigger
        self.method_name = method_name
        self.kwargs = kwargs
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"<TaskDeferred trigger={self.trigger} method={self.method_name}>"


class TaskAwaitingInput(BaseException):
    """Raised by a task's body: the process ends, and the task goes on in another one when a human has answered.

    Not an `Exception`, so that ordinary error handling lets it pass.

    Attributes:
        method_name: the operator's method to go on with.
        kwargs: what the method gets beside the context and the event; None for nothing.
        timeout: how long to wait at most: a timedelta or seconds; None for as long as it takes.
    """

    def __init__(
        self, *, method_name: str, kwargs: dict[str, Any] | None = None, timeout: timedelta | float | None = None
    ) -> None:
        super().__init__()
        self.method_name = method_name
        self.kwargs = kwargs
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"<TaskAwaitingInput method={self.method_name}>"


class TaskDeferralError(AirflowException):
    """What a task waited for has failed, or there is no way to go on."""


class TaskDeferralTimeout(AirflowException):
    """A task has waited for a trigger for as long as it may."""


class DownstreamTasksSkipped(AirflowException):
    """Raised by a task's body: the task is a success, and tasks behind it are skipped.

    Attributes:
        tasks: their ids, or pairs of id and map index.
    """

    def __init__(self, *, tasks: Sequence[str | tuple[str, int]]) -> None:
        super().__init__()
        self.tasks = tasks


class DagRunTriggerException(AirflowException):
    """Raised by a task's body: a run of another Dag is asked for, and perhaps waited for.

    Attributes:
        trigger_dag_id, dag_run_id: the Dag, and the id that its run is to have.
        conf: what is handed to the run.
        logical_date, run_after, note: of the run.
        reset_dag_run: whether a run of that id is cleared and run again.
        skip_when_already_exists: whether a run of that id makes the task skipped and not failed.
        wait_for_completion: whether the task ends with the run.
        allowed_states, failed_states: of the run, in which the task is a success or a failure.
        poke_interval: how often to look, in seconds.
        deferrable: whether to wait in the triggerer and not in a process.
    """

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        dag_run_id: str,
        conf: dict[str, Any] | None,
        reset_dag_run: bool,
        skip_when_already_exists: bool,
        wait_for_completion: bool,
        allowed_states: list[str],
        failed_states: list[str],
        poke_interval: float,
        deferrable: bool,
        logical_date: datetime | None = None,
        run_after: datetime | None = None,
        note: str | None = None,
    ) -> None:
        super().__init__()
        self.trigger_dag_id = trigger_dag_id
        self.dag_run_id = dag_run_id
        self.conf = conf
        self.logical_date = logical_date
        self.run_after = run_after
        self.reset_dag_run = reset_dag_run
        self.skip_when_already_exists = skip_when_already_exists
        self.wait_for_completion = wait_for_completion
        self.allowed_states = allowed_states
        self.failed_states = failed_states
        self.poke_interval = poke_interval
        self.deferrable = deferrable
        self.note = note


class ParamValidationError(AirflowException, ValueError):
    """A param has a value that its schema refuses."""


class AirflowTaskTimeout(BaseException):
    """A try has run for as long as it may. Not an `Exception`, so that ordinary error handling lets it pass."""


class AirflowTaskTerminated(BaseException):
    """The task was told to stop. Not an `Exception`, so that ordinary error handling lets it pass."""


class AirflowNotFoundException(AirflowException):
    """Something that was asked for, such as a connection, does not exist."""


class AirflowInactiveAssetInInletOrOutletException(AirflowException):
    """A task has inlets or outlets that are not active: no Dag declares them, or another asset has their name or URI.

    Attributes:
        inactive_asset_keys: the name and URI of each; one of the two may be None.
    """

    def __init__(self, inactive_asset_keys: Collection[tuple[str | None, str | None]]) -> None:
        super().__init__(inactive_asset_keys)
        self.inactive_asset_keys = inactive_asset_keys

    def __str__(self) -> str:
        named = ", ".join(f"name={name!r}, uri={uri!r}" for name, uri in self.inactive_asset_keys)
        return f"the task has inactive assets among its inlets and outlets: {named}"


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
    ASSET_NOT_FOUND = "ASSET_NOT_FOUND"
    TASK_STORE_NOT_FOUND = "TASK_STORE_NOT_FOUND"
    ASSET_STORE_NOT_FOUND = "ASSET_STORE_NOT_FOUND"
    DAGRUN_ALREADY_EXISTS = "DAGRUN_ALREADY_EXISTS"
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


class XComForMappingNotPushed(TypeError):
    """A task has returned nothing, although another one is expanded over what it returns."""

    def __init__(self, label: str) -> None:
        super().__init__(f"{label} has returned nothing to map over; return a list or a dict, empty if need be")


class UnmappableXComTypePushed(TypeError):
    """A task has returned what no other task can be expanded over.

    Attributes:
        value: what it has returned.
    """

    def __init__(self, label: str, value: object) -> None:
        super().__init__(f"{label} is mapped over, so it returns a list or a dict, not {type(value).__name__}")
        self.value = value


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
