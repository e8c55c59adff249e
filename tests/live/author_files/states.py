"""Tasks that come into every state that there is, as an author writes them."""

from datetime import UTC, datetime, timedelta

from outboard import BaseOperator, BaseSensorOperator, PokeReturnValue, Variable, dag, task
from outboard.protocol import messages
from outboard.sdk.client import current
from outboard.sdk.exceptions import (
    AirflowRescheduleException,
    DagRunTriggerException,
    DownstreamTasksSkipped,
    TaskAwaitingInput,
)

# ── skips ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@task
def chosen(): ...


@task
def also_chosen(): ...


@task
def left_out(): ...


@task
def behind(): ...


@task.branch
def chooses_one():
    return "chosen"


@task.branch
def chooses_two():
    return ["chosen", "also_chosen"]


@task.branch
def chooses_none():
    return None


@task.branch
def chooses_what_is_not_there():
    return "nowhere"


@task.branch
async def chooses_while_awaiting():
    return "chosen"


@task.short_circuit
def stops():
    return []


@task.short_circuit(ignore_downstream_trigger_rules=False)
def stops_what_is_next():
    return False


@task.short_circuit
def lets_through():
    return {"rows": 3}


@task
def skips_by_hand():
    raise DownstreamTasksSkipped(tasks=["chosen", ("left_out", 2)])


# ── being put off ─────────────────────────────────────────────────────────────────────────────────────────────────


@task
def puts_itself_off():
    raise AirflowRescheduleException(datetime(2030, 1, 1, 12, tzinfo=UTC))


@task
def puts_itself_off_without_a_zone():
    raise AirflowRescheduleException(datetime(2030, 1, 1, 12))  # noqa: DTZ001


def is_there():
    return Variable.get("there", default="no") == "yes"


@task.sensor(mode="reschedule", poke_interval=3600, timeout=timedelta(days=2))
def looks_again():
    return is_there()


@task.sensor(mode="reschedule", poke_interval=3600, timeout=timedelta(days=2), soft_fail=True)
def looks_again_softly():
    return is_there()


class Counts(BaseSensorOperator):
    looks = 0

    def poke(self, context):
        self.looks += 1
        return PokeReturnValue(self.looks == 3, {"looks": self.looks})


@task.sensor(poke_interval=0, timeout=0)
def looks_in_vain():
    return False


# ── deferral ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Waits(BaseOperator):
    def __init__(self, *, trigger, method_name="goes_on", timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.trigger = trigger
        self.method_name = method_name
        self.timeout = timeout

    def execute(self, context):
        context["ti"].xcom_push("before", "pushed before the wait")
        given = {"since": datetime(2026, 1, 2, 3, tzinfo=UTC), "pair": ("left", 2)}
        self.defer(trigger=self.trigger, method_name=self.method_name, kwargs=given, timeout=self.timeout)

    def goes_on(self, context, event, since, pair):
        return {"event": event, "since": since, "pair": pair, "began": str(context["ti"].start_date)}

    def waits_again(self, context, event, since, pair):
        self.defer(trigger=self.trigger, method_name="goes_on", kwargs={"since": since, "pair": pair})


class Named:
    """Any class that the triggerer has; the bundle needs its path only."""

    def __init__(self, classpath, **kwargs):
        self.classpath = classpath
        self.kwargs = kwargs

    def serialize(self):
        return self.classpath, self.kwargs


DATE_TIME_TRIGGER = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
MOMENT = Named(DATE_TIME_TRIGGER, moment=datetime(2026, 1, 1, tzinfo=UTC), end_from_trigger=False)

# ── waiting for a human ───────────────────────────────────────────────────────────────────────────────────────────


class AwaitsInput(BaseOperator):
    """Asks a human by the message itself."""

    def __init__(self, *, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.timeout = timeout

    def execute(self, context):
        question = messages.CreateHITLDetailPayload(
            ti_id=context["ti"].id,
            subject="Which way?",
            body="There are *rocks*.",
            options=["north", "south"],
            defaults=["south"],
            multiple=True,
            params={"depth": {"value": 3, "description": None, "schema": {"type": "number"}}},
            assigned_users=[messages.HITLUser(id="7", name="pilot")],
        )
        current()._tell(question)
        raise TaskAwaitingInput(method_name="is_answered", kwargs={"pair": (1, 2)}, timeout=self.timeout)

    def is_answered(self, context, event, pair):
        return {"event": event, "pair": pair}


# ── runs of other Dags ────────────────────────────────────────────────────────────────────────────────────────────

ORDINARY = {
    **{"trigger_dag_id": "harvest", "dag_run_id": "by_hand", "conf": {"field": 7}, "reset_dag_run": False},
    **{"skip_when_already_exists": False, "wait_for_completion": False, "deferrable": False, "poke_interval": 0},
    **{"allowed_states": ["success"], "failed_states": ["failed"]},
}


class Triggers(BaseOperator):
    def __init__(self, *, task_id, **wanted):
        super().__init__(task_id=task_id)
        self.wanted = wanted

    def execute(self, context):
        raise DagRunTriggerException(**{**ORDINARY, **self.wanted})


@dag
def states():
    ends = [chosen(), also_chosen(), left_out()]
    for chooses in (chooses_one, chooses_two, chooses_none, chooses_what_is_not_there, chooses_while_awaiting):
        chooses() >> ends
    for stop in (stops, stops_what_is_next, lets_through):
        stop() >> ends[:2]
    ends[0] >> behind()
    skips_by_hand()
    puts_itself_off()
    puts_itself_off_without_a_zone()
    looks_again()
    looks_again_softly()
    Counts(task_id="looks_three_times", poke_interval=0)
    looks_in_vain()
    Waits(task_id="waits_for_a_moment", trigger=MOMENT, timeout=timedelta(seconds=90))
    Waits(task_id="waits_twice", trigger=MOMENT, method_name="waits_again")
    Waits(task_id="waits_for_nobody", trigger=Named("triggers_of_nobody.NoSuchTrigger", rows=[1]))
    Waits(task_id="waits_without_a_way_on", trigger=MOMENT, method_name="not_there")
    Waits(task_id="waits_for_what_has_no_encoding", trigger=Named("a.Trigger", socket=object()))
    AwaitsInput(task_id="awaits_input")
    AwaitsInput(task_id="awaits_input_for_a_while", timeout=timedelta(minutes=5))
    Triggers(task_id="triggers_a_run", logical_date=datetime(2026, 3, 1, tzinfo=UTC), note="early")
    Triggers(task_id="triggers_a_run_or_is_skipped", skip_when_already_exists=True)
    Triggers(task_id="triggers_a_run_anew", reset_dag_run=True)
    Triggers(task_id="triggers_a_run_and_polls", wait_for_completion=True)
    Triggers(task_id="triggers_a_run_and_defers", wait_for_completion=True, deferrable=True)


states()
