"""Records go where they should, in order, and to stderr when that place is lost."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from outboard.comms.in_memory import descriptor_pair
from outboard.comms.interrupts import Interrupts
from outboard.comms.log_channel import MAX_BUFFERED_RECORDS, LogChannel, line_sink
from outboard.errors import PeerLostError
from outboard.protocol.log_records import decode_line, make_record

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20


def numbered(count: int, start: int = 0) -> list[dict[str, object]]:
    return [make_record(f"record {number}", "info", "a") for number in range(start, start + count)]


def lines_of(text: str) -> list[dict[str, object]]:
    return [decode_line(line.encode()) for line in text.splitlines()]


def failing_after(count: int, taken: list[dict[str, object]], error: Exception) -> Callable[[dict[str, object]], None]:
    def sink(record: dict[str, object]) -> None:
        if len(taken) >= count:
            raise error
        taken.append(record)

    return sink


def test_records_are_kept_until_there_is_somewhere_to_send_them() -> None:
    channel, taken = LogChannel(Interrupts()), []
    records = numbered(5)
    for record in records[:3]:
        channel.emit(record)
    channel.connect(taken.append)
    assert taken == records[:3]
    for record in records[3:]:
        channel.emit(record)
    assert taken == records


def test_more_records_than_can_be_kept_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    channel, taken = LogChannel(Interrupts()), []
    records = numbered(MAX_BUFFERED_RECORDS + 2)
    for record in records:
        channel.emit(record)
    assert lines_of(capfd.readouterr().err) == records
    channel.connect(taken.append)
    channel.emit(records[0])
    assert taken == []
    assert lines_of(capfd.readouterr().err) == records[:1]


def test_giving_up_sends_everything_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    channel = LogChannel(Interrupts())
    records = numbered(2)
    channel.emit(records[0])
    channel.give_up()
    channel.emit(records[1])
    assert lines_of(capfd.readouterr().err) == records


@pytest.mark.parametrize("error", [BrokenPipeError(), PeerLostError("gone")], ids=["pipe", "peer"])
def test_from_the_first_failure_on_records_go_to_stderr(capfd: pytest.CaptureFixture[str], error: Exception) -> None:
    channel, taken = LogChannel(Interrupts()), []
    records = numbered(4)
    channel.connect(failing_after(2, taken, error))
    for record in records:
        channel.emit(record)
    assert taken == records[:2]
    assert lines_of(capfd.readouterr().err) == records[2:]


def test_a_failure_while_the_kept_ones_are_sent_loses_none(capfd: pytest.CaptureFixture[str]) -> None:
    channel, taken = LogChannel(Interrupts()), []
    records = numbered(4)
    for record in records:
        channel.emit(record)
    channel.connect(failing_after(1, taken, BrokenPipeError()))
    assert taken == records[:1]
    assert lines_of(capfd.readouterr().err) == records[1:]


def test_a_mistake_in_the_sink_itself_is_not_hidden() -> None:
    channel = LogChannel(Interrupts())
    channel.connect(failing_after(0, [], ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        channel.emit(numbered(1)[0])


def test_records_of_a_thread_keep_their_order_across_the_connect() -> None:
    channel, taken = LogChannel(Interrupts()), []
    count, each = 4, 300
    start = threading.Barrier(count + 1)

    def log(name: str) -> None:
        start.wait(SECONDS)
        for number in range(each):
            channel.emit({"event": name, "number": number})

    threads = [threading.Thread(target=log, args=(f"thread {number}",)) for number in range(count)]
    for thread in threads:
        thread.start()
    start.wait(SECONDS)
    channel.connect(taken.append)
    for thread in threads:
        thread.join(SECONDS)
    for number in range(count):
        mine = [record["number"] for record in taken if record["event"] == f"thread {number}"]
        assert mine == list(range(each))


def test_a_record_that_is_logged_while_another_is_sent_comes_after_it() -> None:
    channel, taken = LogChannel(Interrupts()), []
    first, second, third = numbered(3)

    def sink(record: dict[str, object]) -> None:
        if record is first:
            channel.emit(second)  # as a signal handler or a finalizer does
        taken.append(record)

    channel.connect(sink)
    channel.emit(first)
    channel.emit(third)
    assert taken == [first, second, third]


def test_a_record_that_is_logged_while_the_kept_ones_are_sent_comes_after_them() -> None:
    channel, taken = LogChannel(Interrupts()), []
    records = numbered(3)

    def sink(record: dict[str, object]) -> None:
        if record is records[0]:
            channel.emit(records[2])
        taken.append(record)

    for record in records[:2]:
        channel.emit(record)
    channel.connect(sink)
    assert taken == records


def test_lines_of_several_threads_are_whole() -> None:
    near, far = descriptor_pair()
    count, each = 4, 100
    channel = LogChannel(Interrupts())
    channel.connect(line_sink(near.write_fd))
    start = threading.Barrier(count)

    def log(number: int) -> None:
        start.wait(SECONDS)
        for sequence in range(each):
            text = "x" * (sequence * 37 % 5000)
            channel.emit(make_record(text, "info", f"thread {number}", None, {"sequence": sequence}))

    threads = [threading.Thread(target=log, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    data = b""
    while data.count(b"\n") < count * each:
        data += os.read(far.read_fd, 65_536)
    for thread in threads:
        thread.join(SECONDS)
    near.close()
    far.close()
    records = [decode_line(line) for line in data.splitlines()]
    for number in range(count):
        mine = [record["sequence"] for record in records if record["logger"] == f"thread {number}"]
        assert mine == list(range(each))
