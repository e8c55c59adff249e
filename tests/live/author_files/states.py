"""Tasks that come into every state that there is, as an author writes them."""

from datetime import UTC, datetime, timedelta

from outboard import (
    ApprovalOperator,
    BaseOperator,
    BaseSensorOperator,
    DateTimeTrigger,
    HITLBranchOperator,
    HITLEntryOperator,
    HITLOperator,
    NamedTrigger,
    Param,
    PokeReturnValue,
    TriggerDagRunOperator,
    Variable,
    dag,
    task,
)
from outboard.sdk.exceptions import AirflowRescheduleException, DownstreamTasksSkipped

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


MOMENT = DateTimeTrigger(datetime(2026, 1, 1, tzinfo=UTC))

# ── asking a human ────────────────────────────────────────────────────────────────────────────────────────────────

QUESTION = {
    **{"subject": "Which way?", "body": "There are *rocks*.", "options": ["north", "south", "back"]},
    "params": {"depth": Param(3, type="number", minimum=0, description="in metres")},
}

# ── runs of other Dags ────────────────────────────────────────────────────────────────────────────────────────────

RUN = {"trigger_dag_id": "harvest", "trigger_run_id": "by_hand", "conf": {"field": 7}}


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
    Waits(task_id="waits_for_nobody", trigger=NamedTrigger("triggers_of_nobody.NoSuchTrigger", {"rows": [1]}))
    Waits(task_id="waits_without_a_way_on", trigger=MOMENT, method_name="not_there")
    Waits(task_id="waits_for_what_has_no_encoding", trigger=NamedTrigger("a.Trigger", {"socket": object()}))
    HITLOperator(task_id="asks", **QUESTION)
    HITLOperator(
        task_id="asks_some_for_a_while",
        subject="Which ways?",
        options=["north", "south"],
        defaults=["south"],
        multiple=True,
        assigned_users=[{"id": "7", "name": "pilot"}],
        response_timeout=timedelta(minutes=5),
    )
    ApprovalOperator(task_id="asks_whether_to_go_on", subject="Go on?") >> ends[:2]
    ApprovalOperator(task_id="asks_whether_to_go_on_or_fails", subject="Go on?", fail_on_reject=True) >> ends[:2]
    by_name = {"options": ["chosen", "the other one"], "options_mapping": {"the other one": "left_out"}}
    HITLBranchOperator(task_id="asks_where_to_go_on", subject="Where?", **by_name) >> ends
    HITLEntryOperator(task_id="asks_for_a_number", subject="How deep?", params=QUESTION["params"])
    TriggerDagRunOperator(task_id="triggers_a_run", logical_date=datetime(2026, 3, 1, tzinfo=UTC), note="early", **RUN)
    TriggerDagRunOperator(task_id="triggers_a_run_or_is_skipped", skip_when_already_exists=True, **RUN)
    TriggerDagRunOperator(task_id="triggers_a_run_anew", reset_dag_run=True, **RUN)
    TriggerDagRunOperator(task_id="triggers_a_run_if_awake", fail_when_dag_is_paused=True, **RUN)
    waiting = {"wait_for_completion": True, "poke_interval": 0, **RUN}
    TriggerDagRunOperator(task_id="triggers_a_run_and_polls", **waiting)
    TriggerDagRunOperator(task_id="triggers_a_run_and_defers", deferrable=True, **waiting)


states()
