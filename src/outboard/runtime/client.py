"""What task code asks for, over the channel: the runtime's `outboard.sdk.client.Client`.

Refusals become the exceptions that Airflow's SDK raises; what the channel itself raises passes through.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from outboard.errors import InvalidMessageError, ServerError
from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.runtime.environment import variable, variables
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, ParamSpec, TypeVar

    from outboard.comms.channel import Channel
    from outboard.protocol.messages import Message
    from outboard.runtime.logs import Logs
    from outboard.sdk.connection import Connection
    from outboard.sdk.hitl import HITLUser
    from outboard.sdk.requests import AssetRequests, Queries, StateRequests, XComSequences

    P = ParamSpec("P")
    R = TypeVar("R")
    T = TypeVar("T", bool, int, str)

__all__ = ("CLOCK_OFFSET_VARIABLE", "TASK_LOGGER", "ChannelClient")

TASK_LOGGER = "task"

# Seconds that the supervisor's clock is ahead of the machine's: of one that does not really wait for retries and sensors.
CLOCK_OFFSET_VARIABLE = "OUTBOARD_CLOCK_OFFSET"


class ChannelClient:
    """Answers `outboard.sdk.client` from the supervisor at the other end of a channel.

    Args:
        channel: to the supervisor.
        logs: where the task's words go; its masker learns what is secret in what the supervisor answers.
        is_authors: whether a module is one of the author's own, so that values of its classes may be made.
    """

    def __init__(self, channel: Channel, logs: Logs, is_authors: Callable[[str], bool]) -> None:
        self._channel = channel
        self._logs = logs
        self._masker = logs.masker
        self._is_authors = is_authors
        self._losses: set[str] = set()

    def get_variable(self, key: str) -> str | None:
        """See `outboard.sdk.client.Client.get_variable`."""
        found = self.ask(m.GetVariable(key=key), m.VariableResult)
        self._masker.learn(found)
        return found.value

    def set_variable(self, key: str, value: str, description: str | None) -> None:
        """See `outboard.sdk.client.Client.set_variable`."""
        self.tell(m.PutVariable(key=key, value=value, description=description))

    def delete_variable(self, key: str) -> None:
        """See `outboard.sdk.client.Client.delete_variable`."""
        self.tell(m.DeleteVariable(key=key))

    def variable_keys(self, prefix: str | None) -> Sequence[str]:
        """See `outboard.sdk.client.Client.variable_keys`: all pages of them."""
        keys: list[str] = []
        while True:
            page = self.ask(m.GetVariableKeys(prefix=prefix, offset=len(keys)), m.VariableKeysResult)
            keys += page.keys
            if not page.keys or len(keys) >= page.total_entries:
                return keys

    def get_connection(self, conn_id: str) -> Connection:
        """See `outboard.sdk.client.Client.get_connection`."""
        from outboard.sdk.connection import Connection  # only where there is one

        found = self.ask(m.GetConnection(conn_id=conn_id), m.ConnectionResult)
        hidden = self._masker.learn(found)
        if hidden is not None:
            # What commands and C code write reaches the supervisor without passing our masker.
            self.tell(m.MaskSecret(value=hidden, name=None))
        return Connection(
            conn_id=found.conn_id,
            conn_type=found.conn_type,
            host=found.host,
            schema=found.schema,
            login=found.login,
            password=found.password,
            port=found.port,
            extra=found.extra,
        )

    def get_xcom(
        self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None, include_prior_dates: bool
    ) -> tuple[bool, Any]:
        """See `outboard.sdk.client.Client.get_xcom`. On the wire an absent XCom has the value null, as a null one has."""
        request = m.GetXCom(
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            task_id=task_id,
            map_index=map_index,
            include_prior_dates=include_prior_dates,
        )
        try:
            value = self.ask(request, m.XComResult).value
        except AirflowRuntimeError as error:
            if error.error.error != ErrorType.XCOM_NOT_FOUND:
                raise
            return False, None
        return value is not None, self.decoded(value)

    def set_xcom(
        self,
        key: str,
        value: object,
        dag_id: str,
        run_id: str,
        task_id: str,
        map_index: int | None,
        *,
        dag_result: bool = False,
        mapped_length: int | None = None,
    ) -> None:
        """See `outboard.sdk.client.Client.set_xcom`.

        ``dag_result`` marks the result of the whole Dag, ``mapped_length`` says how many tasks a mapped one becomes.
        """
        self.tell(
            m.SetXCom(
                key=key,
                value=self._encoded(value, key),
                dag_id=dag_id,
                run_id=run_id,
                task_id=task_id,
                map_index=map_index,
                dag_result=dag_result,
                mapped_length=mapped_length,
            )
        )

    def delete_xcom(self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> None:
        """See `outboard.sdk.client.Client.delete_xcom`."""
        self.tell(m.DeleteXCom(key=key, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index))

    def xcom_sequences(self) -> XComSequences:
        """See `outboard.sdk.client.Client.xcom_sequences`."""
        from outboard.runtime.xcom_requests import XComRequests

        return XComRequests(self)

    def assets(self) -> AssetRequests:
        """See `outboard.sdk.client.Client.assets`."""
        from outboard.runtime.asset_requests import AssetRequests

        return AssetRequests(self)

    def states(self) -> StateRequests:
        """See `outboard.sdk.client.Client.states`."""
        from outboard.runtime.state_requests import StateRequests

        return StateRequests(self)

    def queries(self) -> Queries:
        """See `outboard.sdk.client.Client.queries`."""
        from outboard.runtime.run_queries import RunQueries

        return RunQueries(self)

    def decoded(self, value: object) -> Any:
        """The Python value of an encoded one, of the author's own classes too."""
        return serde.deserialize(value, self._find_class)

    def skip_downstream(self, tasks: Sequence[str | tuple[str, int]]) -> None:
        """Let tasks behind this one be skipped: ids, or pairs of id and map index."""
        self.tell(m.SkipDownstreamTasks(tasks=[tasks] if isinstance(tasks, str) else list(tasks)))

    def mask_secret(self, value: object, name: str | None) -> None:
        """See `outboard.sdk.client.Client.mask_secret`. It is masked here, whatever the supervisor makes of it."""
        self._masker.add(value, name)
        try:
            self.tell(m.MaskSecret(value=_plain(value), name=name))
        except (AirflowRuntimeError, InvalidMessageError) as error:
            self._logs.emit(
                "warning",
                f"a secret is masked in this task's records only, since the supervisor did not take it: {error}",
            )

    def task_reschedule_start_date(self, ti_id: str, try_number: int) -> datetime | None:
        """See `outboard.sdk.client.Client.task_reschedule_start_date`."""
        request = m.GetTaskRescheduleStartDate(ti_id=ti_id, try_number=try_number)
        return self.ask(request, m.TaskRescheduleStartDate).start_date

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
        """See `outboard.sdk.client.Client.create_hitl_detail`."""
        self.tell(
            m.CreateHITLDetailPayload(
                ti_id=ti_id,
                options=list(options),
                subject=subject,
                body=body,
                defaults=None if defaults is None else list(defaults),
                multiple=multiple,
                params=dict(params),
                assigned_users=[m.HITLUser(id=user["id"], name=user["name"]) for user in assigned_users],
            )
        )

    def is_paused(self, dag_id: str) -> bool:
        """See `outboard.sdk.client.Client.is_paused`."""
        return self.ask(m.GetDag(dag_id=dag_id), m.DagResult).is_paused

    def option(self, section: str, name: str, default: T) -> T:
        """See `outboard.sdk.client.Client.option`: as the environment has it."""
        from outboard.runtime import configuration

        return configuration.read(variables(), section, name, default)

    def say(self, level: str, event: str) -> None:
        """See `outboard.sdk.client.Client.say`."""
        self._logs.emit(level, event, TASK_LOGGER)

    def now(self) -> datetime:
        """See `outboard.sdk.client.Client.now`."""
        ahead = variable(CLOCK_OFFSET_VARIABLE)
        return datetime.now(timezone.utc) + timedelta(seconds=float(ahead) if ahead else 0)

    def monotonic(self) -> float:
        """See `outboard.sdk.client.Client.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `outboard.sdk.client.Client.sleep`."""
        time.sleep(seconds)

    def in_thread(self, function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> Awaitable[R]:
        """See `outboard.sdk.client.Client.in_thread`. A cancelled call drops its late reply."""
        from anyio import to_thread  # only coroutine tasks pay for it

        return to_thread.run_sync(lambda: function(*arguments, **options), abandon_on_cancel=True)

    def tell(self, message: Message) -> Message | None:
        """Make a request, whatever is answered."""
        try:
            return self._channel.request(message)
        except ServerError as error:
            raise AirflowRuntimeError(error) from None

    def ask(self, message: Message, expected: type[R]) -> R:
        """Make a request that is answered with a message of one class."""
        reply = self.tell(message)
        if not isinstance(reply, expected):
            found = "an empty reply" if reply is None else f"a {type(reply).__name__}"
            raise AirflowRuntimeError(
                ServerError(
                    ErrorType.GENERIC_ERROR,
                    {"message": f"{type(message).__name__} was answered with {found}, not a {expected.__name__}"},
                )
            )
        return reply

    def _encoded(self, value: object, key: str) -> Any:
        serde.on_loss(self._tell_loss)
        try:
            return serde.serialize(value, key)
        finally:
            serde.on_loss(None)

    def _find_class(self, name: str) -> type | None:
        from outboard.runtime.known_classes import find_class  # few XComs hold values of classes

        return find_class(name, self._is_authors)

    def _tell_loss(self, path: str, what: str) -> None:
        # Once for each kind: a table of a thousand dates is one mistake.
        if what not in self._losses:
            self._losses.add(what)
            self._logs.emit("warning", f"{path}: {what}", TASK_LOGGER)


def _plain(value: object) -> object:
    # What a mapping or a list holds is masked, sets and tuples too, and JSON has no form for these.
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value
