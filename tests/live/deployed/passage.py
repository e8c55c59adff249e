"""A Dag whose tasks come into every state that Airflow's scheduler, triggerer and API server have a part in."""

from datetime import UTC, datetime, timedelta

from outboard import (
    DAG,
    BaseOperator,
    Connection,
    DateTimeTrigger,
    ExceptionRetryPolicy,
    HITLOperator,
    NamedTrigger,
    Param,
    RetryAction,
    RetryRule,
    TriggerDagRunOperator,
    Variable,
    get_current_context,
    task,
)
from outboard.sdk.exceptions import AirflowSkipException


class Waits(BaseOperator):
    def __init__(self, *, trigger, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.trigger = trigger
        self.timeout = timeout

    def execute(self, context):
        since = datetime(2026, 1, 2, tzinfo=UTC)
        self.defer(trigger=self.trigger, method_name="goes_on", kwargs={"since": since}, timeout=self.timeout)

    def goes_on(self, context, event, since):
        return {"event": event, "since": since}


@task.branch
def chooses_a_course():
    return "sails_north"


@task
def sails_north(): ...


@task
def sails_south(): ...


@task.short_circuit
def looks_at_the_sky():
    return False


@task
def sets_all_sails(): ...


@task
def looks_out_in_vain():
    raise AirflowSkipException("fog")


# The delay is the policy's: with the task's own the run would last an hour.
@task(
    retries=1,
    retry_delay=timedelta(hours=1),
    retry_policy=ExceptionRetryPolicy([RetryRule(ConnectionError, retry_delay=timedelta(seconds=1), reason="a calm")]),
)
def signals():
    if get_current_context()["ti"].try_number == 1:
        raise ConnectionError("nobody answers")


# No retry, though there are some.
@task(
    retries=5,
    retry_delay=timedelta(seconds=1),
    retry_policy=ExceptionRetryPolicy([RetryRule(OSError, RetryAction.FAIL)]),
)
def runs_aground():
    raise OSError("rock")


@task.sensor(mode="reschedule", poke_interval=1, timeout=3600)
def watches_for_the_light():
    looked = int(Variable.get("looked", default="0")) + 1
    Variable.set("looked", str(looked))
    return looked == 2


@task.sensor(mode="reschedule", poke_interval=1, timeout=2)
def watches_in_vain():
    return False


@task
def signs_the_log():
    password = Connection.get("harbour_office").password
    print(f"the password is {password}")
    raise PermissionError(f"{password} was refused")


@task
def is_called_at(dag_run):
    return dag_run.conf["berth"]


# Triggers of Airflow's: the triggerer has the classes, and the bundle only their names.
LONG_AGO, NEVER = (DateTimeTrigger(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2100))
NOBODY = NamedTrigger("triggers_of_nobody.NoSuchTrigger")

WAYS = {"subject": "Which way?", "options": ["north", "south"], "params": {"depth": Param(3, type="number")}}
SECOND = timedelta(seconds=1)

RULES = {"start_date": datetime(2026, 1, 1, tzinfo=UTC), "default_args": {"queue": "outboard"}}


with DAG("harbour", **RULES):
    is_called_at()


with DAG("passage", **RULES):
    chooses_a_course() >> [sails_north(), sails_south()]
    looks_at_the_sky() >> sets_all_sails()
    looks_out_in_vain()
    signals()
    runs_aground()
    watches_for_the_light()
    watches_in_vain()
    Waits(task_id="waits_for_the_tide", trigger=LONG_AGO)
    Waits(task_id="waits_for_nobody", trigger=NOBODY)
    Waits(task_id="waits_for_too_long", trigger=NEVER, timeout=SECOND)
    HITLOperator(task_id="asks_the_pilot", **WAYS)
    HITLOperator(task_id="asks_a_pilot_ashore", defaults="south", response_timeout=SECOND, **WAYS)
    HITLOperator(task_id="asks_nobody", response_timeout=SECOND, **WAYS)
    TriggerDagRunOperator(
        task_id="calls_at_the_harbour",
        trigger_dag_id="harbour",
        trigger_run_id="for_water",
        conf={"berth": 7},
        wait_for_completion=True,
        poke_interval=1,
        deferrable=True,
    )
    signs_the_log()
