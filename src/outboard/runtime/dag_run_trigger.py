"""Asking for a run of another Dag, and waiting for it where that is wanted. Loaded by the tasks that do so."""

from __future__ import annotations

from outboard.errors import ServerError
from outboard.protocol import messages as m
from outboard.runtime import outcome
from outboard.sdk.client import current
from outboard.sdk.exceptions import AirflowException, AirflowRuntimeError, ErrorType, TaskDeferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.comms.channel import Channel
    from outboard.protocol.messages import Message
    from outboard.runtime.logs import Logs
    from outboard.sdk.exceptions import DagRunTriggerException
    from outboard.sdk.task_instance import TaskInstance

__all__ = ("RUN_ID_KEY", "trigger")

# The XCom in which Airflow's pages look up the run that was asked for.
RUN_ID_KEY = "trigger_run_id"

DAG_STATE_TRIGGER = "airflow.providers.standard.triggers.external_task.DagStateTrigger"

TASK_LOGGER = "task"


def trigger(wanted: DagRunTriggerException, ti: TaskInstance, channel: Channel, logs: Logs) -> Message:
    """Ask for the run, and say how the task ends.

    Raises:
        TaskDeferred: the task waits in the triggerer.
        AirflowException: the run has failed.
        AirflowRuntimeError: there is no such Dag, or the request was refused.
    """
    if not _asked(wanted, channel):
        said = f"the Dag {wanted.trigger_dag_id!r} has a run {wanted.dag_run_id!r} already"
        if wanted.skip_when_already_exists:
            logs.emit("info", f"skipped: {said}", TASK_LOGGER)
            return outcome.skipped()
        # As in Airflow, no retry: the run would be there the next time, too.
        logs.emit("error", said, TASK_LOGGER)
        return outcome.failed(AirflowException(said), should_retry=False)
    logs.emit("info", f"asked for the run {wanted.dag_run_id!r} of the Dag {wanted.trigger_dag_id!r}", TASK_LOGGER)
    ti.xcom_push(RUN_ID_KEY, wanted.dag_run_id)
    if wanted.wait_for_completion:
        if wanted.deferrable:
            raise TaskDeferred(trigger=_DagStateTrigger(wanted), method_name="execute_complete")
        _wait(wanted, channel)
    elif wanted.deferrable:
        logs.emit("info", "nothing is waited for, so deferrable=True changes nothing", TASK_LOGGER)
    return outcome.succeeded()


def _asked(wanted: DagRunTriggerException, channel: Channel) -> bool:
    """Whether the run was made, or cleared; False where there is one already."""
    request = m.TriggerDagRun(
        dag_id=wanted.trigger_dag_id,
        run_id=wanted.dag_run_id,
        logical_date=wanted.logical_date,
        run_after=wanted.run_after,
        conf=wanted.conf,
        reset_dag_run=wanted.reset_dag_run,
        note=wanted.note,
    )
    try:
        channel.request(request)
    except ServerError as error:
        if error.error == ErrorType.DAGRUN_ALREADY_EXISTS:
            return False
        raise AirflowRuntimeError(error) from None
    return True


def _wait(wanted: DagRunTriggerException, channel: Channel) -> None:
    while True:
        current().sleep(wanted.poke_interval)
        try:
            reply = channel.request(m.GetDagRunState(dag_id=wanted.trigger_dag_id, run_id=wanted.dag_run_id))
        except ServerError as error:
            raise AirflowRuntimeError(error) from None
        state = reply.state if isinstance(reply, m.DagRunStateResult) else ""
        if state in wanted.failed_states:
            raise AirflowException(f"the run {wanted.dag_run_id!r} of the Dag {wanted.trigger_dag_id!r} ended {state}")
        if state in wanted.allowed_states:
            return


class _DagStateTrigger:
    """Fires when the run has ended, in a triggerer of Airflow's or in outboard's local runner."""

    def __init__(self, wanted: DagRunTriggerException) -> None:
        self._wanted = wanted

    def serialize(self) -> tuple[str, dict[str, object]]:
        wanted = self._wanted
        return DAG_STATE_TRIGGER, {
            "dag_id": wanted.trigger_dag_id,
            "states": [str(state) for state in (*wanted.allowed_states, *wanted.failed_states)],
            "execution_dates": None,
            "run_ids": [wanted.dag_run_id],
            "poll_interval": wanted.poke_interval,
        }
