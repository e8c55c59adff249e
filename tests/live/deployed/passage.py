"""A Dag whose tasks come into every state that Airflow's scheduler, triggerer and API server have a part in."""

from datetime import UTC, datetime, timedelta

from outboard import (
    DAG,
    BaseOperator,
    Connection,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    Variable,
    get_current_context,
    task,
)
from outboard.protocol import messages
from outboard.sdk.client import current
from outboard.sdk.exceptions import AirflowSkipException, TaskAwaitingInput


class Moment:
    """A trigger of Airflow's: the triggerer has the class, and the bundle only its name."""

    def __init__(self, moment):
        self.moment = moment

    def serialize(self):
        return "airflow.providers.standard.triggers.temporal.DateTimeTrigger", {"moment": self.moment}


class NoSuchTrigger:
    def serialize(self):
        return "triggers_of_nobody.NoSuchTrigger", {}


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


class Asks(BaseOperator):
    """Asks a human by the message itself."""

    def __init__(self, *, subject, defaults=None, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.subject = subject
        self.defaults = defaults
        self.timeout = timeout

    def execute(self, context):
        question = messages.CreateHITLDetailPayload(
            ti_id=context["ti"].id,
            subject=self.subject,
            options=["north", "south"],
            defaults=self.defaults,
            params={"depth": {"value": 3, "description": "in metres", "schema": {"type": "number"}}},
            assigned_users=[],  # the server refuses null
        )
        current()._tell(question)
        raise TaskAwaitingInput(method_name="is_answered", timeout=self.timeout)

    def is_answered(self, context, event):
        return event


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


with DAG("passage", start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={"queue": "outboard"}):
    chooses_a_course() >> [sails_north(), sails_south()]
    looks_at_the_sky() >> sets_all_sails()
    looks_out_in_vain()
    signals()
    runs_aground()
    watches_for_the_light()
    watches_in_vain()
    Waits(task_id="waits_for_the_tide", trigger=Moment(datetime(2026, 1, 1, tzinfo=UTC)))
    Waits(task_id="waits_for_nobody", trigger=NoSuchTrigger())
    never = datetime(2100, 1, 1, tzinfo=UTC)
    Waits(task_id="waits_for_too_long", trigger=Moment(never), timeout=timedelta(seconds=1))
    Asks(task_id="asks_the_pilot", subject="Which way?")
    Asks(task_id="asks_a_pilot_ashore", subject="Which way?", defaults=["south"], timeout=timedelta(seconds=1))
    Asks(task_id="asks_nobody", subject="Anyone?", timeout=timedelta(seconds=1))
    signs_the_log()
