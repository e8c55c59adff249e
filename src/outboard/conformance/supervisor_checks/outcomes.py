"""What a supervisor makes of a report, of an exit code, and of both."""

from __future__ import annotations

import os
import signal

from outboard.conformance.actor import NOW, SUCCESS, Actor, scene
from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.supervisor_bench import SupervisorBench
from outboard.supervisor import kinship

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

RETRY = {"type": "RetryTask", "state": "up_for_retry", "end_date": NOW, "retry_delay_seconds": 7.5}


def state(name: str) -> dict[str, object]:
    """A report of this final state."""
    return {"type": "TaskState", "state": name, "end_date": NOW}


@scene
def success(actor: Actor) -> None:
    actor.start()
    actor.succeed()


@check("outcome.success", MUST, "the-report-of-a-task")
def _(bench: SupervisorBench) -> None:
    """SucceedTask is a success."""
    run = bench.run("success")
    run.expect_answers()
    run.expect("success")


def make_report_check(tier: str, name: str, body: dict[str, object], outcome: str, *, retry: bool = False) -> None:
    """One check for each report that is no success."""

    def play(actor: Actor) -> None:
        actor.start()
        actor.ask(body)
        actor.leave(0)

    play.__name__ = f"report_{name.replace('-', '_')}"
    scene(play)

    def judge(bench: SupervisorBench) -> None:
        run = bench.run(play.__name__, should_retry=retry)
        run.expect_answers()
        run.expect(outcome)

    told = f"{body['type']} {body['state']}" if body["type"] == "TaskState" else body["type"]
    judge.__doc__ = f"{told} is answered, and the task is told to be {outcome}."
    check(f"outcome.{name}", tier, "the-report-of-a-task")(judge)


make_report_check(MUST, "failed", state("failed"), "failed")
make_report_check(MUST, "failed-for-good", state("failed"), "failed", retry=True)
make_report_check(MUST, "skipped", state("skipped"), "skipped")
make_report_check(MUST, "removed", state("removed"), "removed")
make_report_check(MUST, "retry", RETRY, "up_for_retry", retry=True)
make_report_check(
    SHOULD,
    "deferred",
    {
        **{"type": "DeferTask", "state": "deferred", "classpath": "example.Trigger", "next_method": "resumes"},
        "trigger_kwargs": {"moment": "now"},
    },
    "deferred",
)
make_report_check(
    SHOULD,
    "rescheduled",
    {"type": "RescheduleTask", "state": "up_for_reschedule", "reschedule_date": NOW, "end_date": NOW},
    "up_for_reschedule",
)


@scene
def retry_without_one(actor: Actor) -> None:
    actor.start()
    actor.ask(RETRY)
    actor.leave(0)


@check("outcome.retry-that-is-not-left", SHOULD, "the-report-of-a-task")
def _(bench: SupervisorBench) -> None:
    """RetryTask although no retry is left is a failure, and not retried for ever."""
    bench.run("retry_without_one").expect("failed")


# ── exit codes ────────────────────────────────────────────────────────────────────────────────────────────────────


def make_exit_check(tier: str, name: str, report: dict[str, object] | None, code: int, outcome: str, idea: str) -> None:
    """One check for each pair of a report and an exit code, or of the signal -code."""

    def play(actor: Actor) -> None:
        actor.start()
        if report is not None:
            actor.ask(report)
        if code < 0:
            actor.note(f"dies of signal {-code}")
            os.kill(os.getpid(), -code)
        actor.leave(code)

    play.__name__ = f"exit_{name.replace('-', '_')}"
    scene(play)

    def judge(bench: SupervisorBench) -> None:
        bench.run(play.__name__, should_retry=outcome == "up_for_retry").expect(outcome)

    judge.__doc__ = idea
    check(f"exit.{name}", tier, "the-end")(judge)


KILLED = -signal.SIGKILL

STANDS = "that was acknowledged stands, whatever the exit code."
FAILED, SKIPPED = state("failed"), state("skipped")

make_exit_check(MUST, "0-without-report", None, 0, "failed", "An exit with 0 without a report is no success.")
make_exit_check(MUST, "1-without-report", None, 1, "failed", "Another exit code without a report is a failure.")
make_exit_check(SHOULD, "1-without-report-retry", None, 1, "up_for_retry", "The same is for a retry if one is left.")
make_exit_check(
    MUST, "killed-without-report", None, KILLED, "failed", "A death by SIGKILL without a report is a failure."
)
make_exit_check(MUST, "1-after-success", SUCCESS, 1, "success", f"A success {STANDS}")
make_exit_check(
    MUST, "killed-after-success", SUCCESS, KILLED, "success", "A success stands, also if SIGKILL follows it."
)
make_exit_check(SHOULD, "1-after-failed", FAILED, 1, "failed", f"A failure {STANDS}")
make_exit_check(SHOULD, "1-after-retry", RETRY, 1, "up_for_retry", f"A retry {STANDS}")
make_exit_check(SHOULD, "1-after-skipped", SKIPPED, 1, "skipped", f"A skip {STANDS}")


@scene
def report_unread(actor: Actor) -> None:
    actor.start()
    actor.send(0, SUCCESS)
    actor.leave(0)


@check("outcome.unread-answer", MUST, "ids")
def _(bench: SupervisorBench) -> None:
    """A report under the id 0, whose answer nobody reads, counts: that is what the runtimes of other languages send."""
    bench.run("report_unread").expect("success")


@scene
def second_report(actor: Actor) -> None:
    actor.start()
    actor.ask(SUCCESS)
    actor.ask(state("failed"))
    actor.leave(0)


@check("outcome.second-report", SHOULD, "order-of-events")
def _(bench: SupervisorBench) -> None:
    """The first report counts; a second one changes nothing."""
    bench.run("second_report").expect("success")


@scene
def linger(actor: Actor) -> None:
    actor.start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    actor.ask(SUCCESS)
    actor.stay()


@check("outcome.lingering", SHOULD, "the-end")
def _(bench: SupervisorBench) -> None:
    """A process that stays after its success, deaf to SIGTERM, is ended; the task is a success."""
    run = bench.run("linger")
    run.expect("success")
    left = kinship.process(run.facts["pid"])
    if left is not None and not left.ended:
        raise Failure("the process is still there")
