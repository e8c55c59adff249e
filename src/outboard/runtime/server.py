"""One run of a bundle, from its command line to its exit: connect, take the greeting, dispatch, report, leave.

It connects first and loads the author's code second, so that whatever goes wrong there has somewhere to be told.

====  =====================================================================================
exit  meaning
====  =====================================================================================
0     a report was delivered, whatever it said; or ``--metadata`` was printed
1     the runtime itself failed; the log has the traceback
2     the command line was wrong, or empty
70    the supervisor broke the protocol, or sent a greeting that this runtime does not know
74    the supervisor could not be reached, or went away before the report was delivered
75    the supervisor has the report of something other than a success, and could not pass it on
143   SIGTERM before there was anything to report (130 for SIGINT)
====  =====================================================================================
"""

from __future__ import annotations

import atexit
import posix

from outboard.comms import stdio
from outboard.comms.channel import Channel
from outboard.comms.interrupts import Interrupts
from outboard.comms.log_channel import LogChannel, line_sink
from outboard.errors import ForkedProcessError, PeerLostError, RemoteProtocolError, ServerError, UsageError
from outboard.protocol import messages, packing
from outboard.runtime import invocation, task_records
from outboard.runtime.environment import drop_secrets, variables
from outboard.runtime.import_watch import when_imported
from outboard.runtime.leaving import leave
from outboard.runtime.logs import RUNTIME_LOGGER, Logs
from outboard.runtime.signals import EXIT_PEER_LOST, Signals, lifeline
from outboard.sdk.exceptions import AirflowTaskTerminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from outboard.protocol.messages import Message
    from outboard.runtime.bundle import Bundle
    from outboard.runtime.invocation import Invocation


__all__ = ("EXIT_INTERNAL", "EXIT_PROTOCOL", "EXIT_REFUSED", "EXIT_USAGE", "main")

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_PROTOCOL = 70
EXIT_REFUSED = 75


def main(arguments: Sequence[str], bundle: Bundle) -> NoReturn:
    """Do what the command line says, and leave the process. Never returns, never raises."""
    try:
        asked = invocation.parse(arguments)
    except UsageError as error:
        _say(f"{bundle.name}: {error}\n{_usage(bundle)}")
        leave(EXIT_USAGE)
    if asked.mode == invocation.EXPLAIN:
        _say(_explanation(bundle))
        leave(EXIT_USAGE)
    if asked.mode == invocation.METADATA:
        posix.write(1, bundle.metadata() + b"\n")
        leave(0)
    leave(_serve(asked, bundle), holds_stderr=asked.mode == invocation.SOCKETS)


def _serve(asked: Invocation, bundle: Bundle) -> int:
    """Run the exchange to its end. Returns the exit code."""
    withheld = drop_secrets()
    interrupts = Interrupts()
    log_channel = LogChannel(interrupts)
    logs = Logs(log_channel, variables())
    posix.register_at_fork(after_in_child=logs.after_fork)
    # The first to be registered is the last to be called: what exit functions print without an end of line is sent too.
    atexit.register(logs.flush)
    if withheld:
        logs.emit("debug", f"withheld from the task, being the worker's own secrets: {', '.join(withheld)}")
    try:
        channel, sink, line = _connect(asked, bundle.schema, interrupts)
    except OSError as error:
        log_channel.give_up()
        where = "the supervisor" if asked.comm is None else f"the supervisor at {asked.comm[0]}:{asked.comm[1]}"
        _say(f"{bundle.name}: cannot reach {where}: {error}")
        return EXIT_PEER_LOST
    signals = Signals(interrupts)
    try:
        signals.watch(line)
        log_channel.connect(sink or channel.log)
        logs.capture()
        when_imported({"threading": _load_packing})
        return _exchange(asked, bundle, channel, logs, signals)
    except AirflowTaskTerminated:
        return 143
    except PeerLostError:
        return EXIT_PEER_LOST
    except RemoteProtocolError as error:
        logs.emit("critical", f"the supervisor broke the protocol: {error}")
        return EXIT_PROTOCOL
    except ForkedProcessError:
        # The task has forked, and the copy has come back from its function. Nothing that follows is the copy's to do.
        _say(
            f"{bundle.name}: a copy of the task's process came back from its function; it ends here, and reports nothing"
        )
        posix._exit(EXIT_INTERNAL)
    except Exception as error:
        logs.exception("the runtime failed", error, RUNTIME_LOGGER)
        return EXIT_INTERNAL
    finally:
        logs.flush()


def _connect(
    asked: Invocation, schema: str, interrupts: Interrupts
) -> tuple[Channel, Callable[[dict[str, object]], None] | None, int]:
    """The channel, the sink for log lines (None: among the frames) and the descriptor that tells of the supervisor's end."""
    if asked.comm is None or asked.logs is None:
        reading, writing = stdio.claim()
        return Channel(reading, writing, schema=schema, interrupts=interrupts), None, lifeline(writing)
    from outboard.comms import sockets  # tasks under stdio need none

    stdio.read_nothing()
    # The records' socket first: whatever goes wrong with the other one can then be told.
    lines = sockets.dial(asked.logs)
    frames = sockets.dial(asked.comm)
    channel = Channel(frames, frames, schema=schema, interrupts=interrupts)
    return channel, line_sink(lines), lines


def _load_packing() -> None:
    """Load what packs long values before there are other threads.

    Later, a thread would load it while it keeps another from logging; if that one is itself importing a module which msgpack
    imports, the two wait for each other. And a copy of the process that is forked meanwhile waits for both.
    """
    try:  # noqa: SIM105  # contextlib is not the child's to load
        packing.load()
    except ImportError:  # whoever needs it will be told
        pass


def _exchange(asked: Invocation, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals) -> int:
    greeting = channel.greeting()
    # Imported here: a task does not need the parser, and a parse does not need the runner.
    if isinstance(greeting, messages.DagFileParseRequest):
        from outboard.runtime import dag_parser

        return _report(dag_parser.run(greeting, bundle, channel, logs), channel, logs, signals)
    if type(greeting).__name__ == messages.TRIGGER_GREETING:
        return _report(_run_trigger(greeting, asked, bundle, channel, logs, signals), channel, logs, signals)
    from outboard.runtime.task_runner import TaskRun

    assert isinstance(greeting, messages.StartupDetails)
    logs.emit("info", "the task starts", extra=task_records.beginning(bundle))
    run = TaskRun(greeting, bundle, channel, logs, signals)
    code = _report(run.run(), channel, logs, signals)
    run.finish()
    logs.emit("info", "the task ends", extra=task_records.end(channel))
    return code


def _report(report: Message, channel: Channel, logs: Logs, signals: Signals) -> int:
    """Deliver the terminal message. Returns the exit code."""
    signals.report_is_out()
    logs.flush()
    try:
        channel.report(report)
    except ServerError as error:
        logs.emit("warning", f"the supervisor took the report, but could not pass it on: {error}")
        # Airflow's supervisor tries again when this process has ended. Should that fail too, it judges by the exit code:
        # a success must not be doubted, and a failure must not pass for a success.
        return 0 if isinstance(report, messages.SucceedTask) else EXIT_REFUSED
    return 0


def _run_trigger(
    greeting: Message, asked: Invocation, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals
) -> Message:
    if asked.mode != invocation.STDIO:
        raise RemoteProtocolError(
            f"{messages.TRIGGER_GREETING} is for standard descriptors; under Airflow, triggers run elsewhere"
        )
    from outboard.runtime import trigger_runner

    assert isinstance(greeting, messages.RunTrigger)
    return trigger_runner.run(greeting, bundle, channel, logs, signals)


# ── saying what this file is ──────────────────────────────────────────────────────────────────────────────────────────


def _say(text: str) -> None:
    posix.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))


def _usage(bundle: Bundle) -> str:
    return (
        f"usage: {bundle.name} --stdio                             under outboard, or any supervisor that speaks frames\n"
        f"       {bundle.name} --comm=HOST:PORT --logs=HOST:PORT   under Apache Airflow\n"
        f"       {bundle.name} --metadata                          print what is inside, as JSON"
    )


def _explanation(bundle: Bundle) -> str:
    dags = ", ".join(bundle.dag_ids) or "none"
    return (
        f"{bundle.name} is an outboard bundle: tasks that run outside the process that schedules them.\n"
        f"Dags: {dags}\n"
        f"It is started by a supervisor, not by hand. To try its tasks: outboard run {bundle.name}.py\n"
        f"{_usage(bundle)}"
    )
